# Flags that every target of ours gets. Third-party headers come in as SYSTEM and are not warned about.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Without this sloppiness ccache refuses every file that uses the precompiled test header. A base directory makes
  # clones share what they compile; debuggers find the sources from the top of the clone they are started in.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
    CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
  add_compile_options("-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.")
endif()

# A fast linker when there is one: mold, else lld.
find_program(MOLD_PROGRAM mold)
find_program(LLD_PROGRAM ld.lld)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
elseif(LLD_PROGRAM)
  add_link_options(-fuse-ld=lld)
endif()

add_library(runner_flags INTERFACE)
target_compile_options(runner_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Werror
  # When it optimises, g++ 12 warns about its own "text" + std::string(...) (bug 105651, fixed in 13), and about moved
  # aggregates of texts as uninitialised. The debug build still looks for such mistakes.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict$<SEMICOLON>-Wno-maybe-uninitialized>)

# Named places where tests end the process (runner/base/failpoint.h); empty calls in a release.
if(RUNNER_TESTS)
  target_compile_definitions(runner_flags INTERFACE RUNNER_FAILPOINTS)
endif()

if(RUNNER_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # The same false warnings, under more names; the real mistakes are what these builds find when they happen.
  target_compile_options(runner_flags INTERFACE
    -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-maybe-uninitialized)
endif()

if(RUNNER_SANITIZE)
  add_compile_options(-fsanitize=${RUNNER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RUNNER_SANITIZE})
  if(RUNNER_SANITIZE MATCHES address)
    # What the sanitizer must know of each check is data with addresses in it. At a fixed address it is read when it is
    # needed; else all of it, 70 MB, is relocated at each start of a program: half of what a short one takes.
    add_link_options(-no-pie)
  endif()
endif()

if(RUNNER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # libFuzzer sees the branches of the libraries too
endif()
