# Everything comes from Debian packages (packages.txt); nothing is downloaded here.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(EXPAT REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(GIT2 REQUIRED IMPORTED_TARGET libgit2)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

# runner_link_archives(<target> <names...>): the target takes these from the archives that Debian has, as each shared
# library costs every start of a program some 60 us. They come before the shared ones, which --as-needed then leaves
# out. --gc-sections drops the formats of libarchive that nobody calls, and with them what those need (libxml2, lz4).
# Optimised builds only: others are for looking into, and link faster.
function(runner_link_archives target)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release" OR RUNNER_SANITIZE)
    return()
  endif()
  foreach(name ${ARGN})
    find_library(RUNNER_ARCHIVE_${name} "lib${name}.a" REQUIRED)
    target_link_libraries(${target} PRIVATE "${RUNNER_ARCHIVE_${name}}")
  endforeach()
  target_link_options(${target} PRIVATE -Wl,--gc-sections -Wl,--as-needed)
endfunction()
