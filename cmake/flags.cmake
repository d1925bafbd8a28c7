# Flags of the whole project. -ffp-contract=off is part of the determinism contract: a multiply and an add are fused
# where the source says fma, and nowhere else.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

add_compile_options(-ffp-contract=off -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  add_compile_options(-Wno-subobject-linkage)  # takes the files of a unity build for headers
endif()
if(DDPM_WERROR)
  add_compile_options(-Werror)
endif()
if(DDPM_SANITIZE)
  add_compile_options(-fsanitize=${DDPM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DDPM_SANITIZE})
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")  # lines in reports; half the time to compile
endif()
find_program(DDPM_CCACHE ccache)
if(DDPM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DDPM_CCACHE})
endif()
