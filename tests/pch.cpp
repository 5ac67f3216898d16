// The one file of the precompiled-header target.
