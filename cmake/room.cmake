# ddpm_room(<path> LINK <libraries>...): one static library a room, from every source in ddpm/<path>.
# x_test.cpp files become ddpm_<room>_test (label "fast"), x_slow_test.cpp files ddpm_<room>_slow_test (label "slow"),
# x_bench.cpp files ddpm_<room>_bench. Files below the folder belong to other rooms. CMAKE_UNITY_BUILD compiles several
# files of a room at once, which halves the time of a build; not those of a room that is SEPARATE, whose files use the
# same short names, each for its own.
function(ddpm_room path)
  cmake_parse_arguments(ARG "SEPARATE" "" "LINK" ${ARGN})
  if(ARG_SEPARATE)
    set(CMAKE_UNITY_BUILD OFF)
  endif()
  string(REPLACE "/" "_" name ddpm_${path})
  set_property(GLOBAL APPEND PROPERTY ddpm_rooms ${name})
  file(GLOB all CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/ddpm/${path}/*.cpp)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ARG_LINK})
    target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_compile_features(${name} PUBLIC cxx_std_20)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_LINK})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()

  foreach(source ${all})  # Highway compiles a file for several instruction sets by including it again
    file(STRINGS ${source} again LIMIT_COUNT 1 REGEX "foreach_target\\.h")
    if(again)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()

  set(slow ${all})
  list(FILTER slow INCLUDE REGEX "_slow_test\\.cpp$")
  set(fast ${all})
  list(FILTER fast INCLUDE REGEX "_test\\.cpp$")
  list(FILTER fast EXCLUDE REGEX "_slow_test\\.cpp$")
  set(bench ${all})
  list(FILTER bench INCLUDE REGEX "_bench\\.cpp$")
  if(DDPM_TESTS)
    ddpm_test(${name}_test fast ${name} "${fast}")
    ddpm_test(${name}_slow_test slow ${name} "${slow}")
  endif()
  if(DDPM_BENCH AND bench)
    add_executable(${name}_bench ${bench})
    target_link_libraries(${name}_bench PRIVATE ${name} benchmark::benchmark_main)
  endif()
endfunction()

# ddpm_test(<target> <label> <library> <sources>): a GoogleTest program, each test a ctest entry with the label.
function(ddpm_test target label library sources)
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE ${library} GTest::gmock GTest::gtest_main rapidcheck rapidcheck_gtest)
  target_compile_definitions(${target} PRIVATE DDPM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${target} NO_PRETTY_VALUES PROPERTIES LABELS ${label} TIMEOUT 600 DISCOVERY_TIMEOUT 60)
endfunction()

# ddpm_version_header(<target>): ddpm/base/version.h's kVersion is the project's version. Programs that use the installed
# library get the header with the version in it.
function(ddpm_version_header target)
  target_compile_definitions(${target} PUBLIC $<BUILD_INTERFACE:DDPM_VERSION="${PROJECT_VERSION}">)
endfunction()
