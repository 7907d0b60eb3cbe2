# Flags, and one function for each kind of target. A module is a folder of src/.

add_library(etesian_flags INTERFACE)
target_compile_options(etesian_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -fstack-protector-strong -D_GLIBCXX_ASSERTIONS)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT CMAKE_CXX_FLAGS MATCHES "sanitize")
  target_compile_options(etesian_flags INTERFACE -D_FORTIFY_SOURCE=2)
endif()
target_link_options(etesian_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

# etesian_module(name [DEPENDS module ...] [LIBRARIES target ...]): every .cc of src/<name>.
# DEPENDS are the modules whose headers it may include (tools/check_structure.py holds the same table);
# LIBRARIES are third-party and stay private.
function(etesian_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
  list(TRANSFORM ARG_DEPENDS PREPEND etesian_)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(sources)
    add_library(etesian_${name} STATIC ${sources})
    target_include_directories(etesian_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(etesian_${name} PUBLIC ${ARG_DEPENDS} PRIVATE etesian_flags ${ARG_LIBRARIES})
  else()
    add_library(etesian_${name} INTERFACE)
    target_include_directories(etesian_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(etesian_${name} INTERFACE ${ARG_DEPENDS} ${ARG_LIBRARIES})
  endif()
endfunction()

# etesian_test(name FOLDER dir MODULES module ... [LIBRARIES target ...] [LABELS label ...]):
# one GoogleTest program of all *_test.cc in tests/<dir>.
function(etesian_test name)
  cmake_parse_arguments(ARG "" "FOLDER;TIMEOUT" "MODULES;LIBRARIES;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FOLDER}/*.cc)
  if(NOT sources)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  list(TRANSFORM ARG_MODULES PREPEND etesian_)
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE ETESIAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE etesian_flags ${ARG_MODULES} ${ARG_LIBRARIES} GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
