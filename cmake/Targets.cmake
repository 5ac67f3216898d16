# RUNNER_UNITY: several files are compiled as one, chosen so that they do not meet (cmake/unity_groups.py). For CI, which
# compiles everything from nothing; a build for work on the code compiles less after an edit without it.
function(runner_unity target)
  if(RUNNER_UNITY)
    # Later, as more files may come.
    cmake_language(EVAL CODE "cmake_language(DEFER CALL runner_unity_now [[${target}]])")
  endif()
endfunction()
function(runner_unity_now target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/.*\\.cpp$")
  foreach(source ${sources})
    get_source_file_property(own "${source}" COMPILE_DEFINITIONS)
    if(own)  # for this file alone
      list(REMOVE_ITEM sources "${source}")
    endif()
  endforeach()
  get_target_property(all ${target} SOURCES)
  list(REMOVE_ITEM all ${sources})
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/unity_groups.py" "${PROJECT_SOURCE_DIR}"
      "${CMAKE_CURRENT_BINARY_DIR}/${target}_unity" ${sources}
    OUTPUT_VARIABLE units OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" units "${units}")
  set_property(TARGET ${target} PROPERTY SOURCES ${all} ${units})
  # A class of a .cpp may have a member of a type that the file keeps to itself; as an included file that looks strange.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  # An edit may make files meet.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources} "${PROJECT_SOURCE_DIR}/cmake/unity_groups.py")
endfunction()

# runner_library(<target> LINK <ours...> PRIVATE_LINK <third party...>)
#
# One static library per folder, from every .cpp beside the CMakeLists.txt. Headers sit in a file set so that
# -DRUNNER_VERIFY_HEADERS=ON compiles each of them alone.
function(runner_library target)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.h")
  add_library(${target} STATIC ${sources})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${headers})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PUBLIC ${ARG_LINK} PRIVATE runner_flags ${ARG_PRIVATE_LINK})
  if(RUNNER_VERIFY_HEADERS)
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  runner_unity(${target})
endfunction()

# runner_test(<target> LINK <libraries...>): one gtest program from every .cpp in the folder.
function(runner_test target)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE runner_flags ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${target} REUSE_FROM runner_test_pch)
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # ccache needs it
  runner_unity(${target})
  if(RUNNER_SANITIZE)
    # A sanitized program takes longer to start than most tests take: it is started a few times, not once for each. The
    # debug build runs each test alone, so that none leans on another.
    set(shards 6)
    math(EXPR last "${shards} - 1")
    foreach(shard RANGE ${last})
      add_test(NAME ${target}.${shard} COMMAND ${target})
      # What is found, in processes too that outlive the test and have no terminal, goes into files; ./dev looks there.
      set(found "log_path=${RUNNER_FINDINGS}/${target}:log_exe_name=1")
      set_tests_properties(${target}.${shard} PROPERTIES TIMEOUT 900
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard};\
ASAN_OPTIONS=${found};UBSAN_OPTIONS=${found};TSAN_OPTIONS=${found}")
    endforeach()
  else()
    # The printed value of a parameter may be raw memory; the names given to instances are enough.
    gtest_discover_tests(${target} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
  endif()
endfunction()
