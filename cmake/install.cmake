# `cmake --install build [--prefix DIR]`: the program, the models that it finds by name, and the library with its
# headers for find_package(ddpm) and pkg-config (docs/library.md).
include(CMakePackageConfigHelpers)
set(models ${CMAKE_INSTALL_DATADIR}/ddpm/models)
set(config ${CMAKE_INSTALL_LIBDIR}/cmake/ddpm)

install(TARGETS ddpm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY models/ DESTINATION ${models} OPTIONAL)
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ddpm/configs)
install(FILES LICENSE README.md README.ko.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Every room but the command line is ddpm::<room>; ddpm::ddpm is all of them.
add_library(ddpm_library INTERFACE)
set_target_properties(ddpm_library PROPERTIES EXPORT_NAME ddpm)
get_property(rooms GLOBAL PROPERTY ddpm_rooms)
list(REMOVE_ITEM rooms ddpm_cli)
foreach(room ${rooms})
  string(REPLACE "ddpm_" "" short ${room})
  set_target_properties(${room} PROPERTIES EXPORT_NAME ${short})
  target_link_libraries(ddpm_library INTERFACE ${room})
  install(TARGETS ${room} EXPORT ddpm-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()
install(TARGETS ddpm_library EXPORT ddpm-targets)
install(EXPORT ddpm-targets NAMESPACE ddpm:: DESTINATION ${config})

# Public headers; of a backend its factory alone, as tools/check_layers has it for the rooms above.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ddpm/*.h)
list(FILTER headers EXCLUDE REGEX "^ddpm/cli/|_test\\.h$|/(fake|traced)_|/golden\\.h$|/(temp_folder|test_files)\\.h$")
list(FILTER headers EXCLUDE REGEX "^ddpm/engine/cpu/")
list(REMOVE_ITEM headers ddpm/base/version.h)
foreach(header ${headers} ddpm/engine/cpu/cpu.h)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder})
endforeach()
# With the version in it, so that no user has to define one.
file(READ ddpm/base/version.h version_header)
string(REPLACE "DDPM_VERSION" "\"${PROJECT_VERSION}\"" version_header "${version_header}")
file(CONFIGURE OUTPUT version.h CONTENT "${version_header}" @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ddpm/base)

configure_package_config_file(cmake/ddpm-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ddpm-config.cmake
                              INSTALL_DESTINATION ${config})
write_basic_package_version_file(ddpm-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ddpm-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ddpm-config-version.cmake
              cmake/ddpm_embed_model.cmake DESTINATION ${config})
configure_file(cmake/ddpm.pc.in ddpm.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ddpm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Where find_model() looks last. An INTERFACE library has no source to tell.
get_target_property(type ddpm_net TYPE)
if(NOT type STREQUAL INTERFACE_LIBRARY)
  target_compile_definitions(ddpm_net PRIVATE
    DDPM_SOURCE_MODELS="${PROJECT_SOURCE_DIR}/models"
    DDPM_INSTALLED_MODELS="${CMAKE_INSTALL_FULL_DATADIR}/ddpm/models")
endif()
