# `cmake --install build [--prefix DIR]`: the program and the models that it finds by name.
include(GNUInstallDirs)
set(models ${CMAKE_INSTALL_DATADIR}/ddpm/models)

install(TARGETS ddpm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY models/ DESTINATION ${models} OPTIONAL)
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ddpm/configs)
install(FILES LICENSE README.md README.ko.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Where find_model() looks after $DDPM_MODELS. An INTERFACE library has no source to tell.
get_target_property(type ddpm_net TYPE)
if(NOT type STREQUAL INTERFACE_LIBRARY)
  target_compile_definitions(ddpm_net PRIVATE
    DDPM_SOURCE_MODELS="${PROJECT_SOURCE_DIR}/models"
    DDPM_INSTALLED_MODELS="${CMAKE_INSTALL_FULL_DATADIR}/ddpm/models")
endif()
