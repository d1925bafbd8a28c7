# ddpm_embed_model(<target> <name> <folder>): puts a model folder into the program. <target> gets a header
# "ddpm_embedded/<name>.h" with `std::map<std::string, std::string_view> ddpm::embedded::<name>()`, the folder's files,
# which ddpm::load_model() takes. A change of the files is a change of the program.
function(ddpm_embed_model target name folder)
  get_filename_component(folder ${folder} ABSOLUTE)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.json ${folder}/*.safetensors)
  list(FILTER files EXCLUDE REGEX "^train_state/")
  if(NOT files)
    message(FATAL_ERROR "ddpm_embed_model: got ${folder}, expected a model folder")
  endif()
  set(place ${CMAKE_CURRENT_BINARY_DIR}/ddpm_embedded/${target})
  set(bytes "")
  set(declarations "")
  set(entries "")
  set(depends "")
  set(number 0)
  foreach(file ${files})
    set(symbol ddpm_embedded_${name}_${number})
    string(APPEND bytes ".balign 64\\n.globl ${symbol}\\n.globl ${symbol}_end\\n${symbol}:\\n"
                        ".incbin \\\"${folder}/${file}\\\"\\n${symbol}_end:\\n")
    string(APPEND declarations "extern const char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND entries "      {\"${file}\", {${symbol}, static_cast<std::size_t>(${symbol}_end - ${symbol})}},\n")
    list(APPEND depends ${folder}/${file})
    math(EXPR number "${number} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${place}/ddpm_embedded/${name}.h @ONLY CONTENT [[
#pragma once
#include <map>
#include <string>
#include <string_view>
namespace ddpm::embedded {
std::map<std::string, std::string_view> @name@();
}
]])
  file(CONFIGURE OUTPUT ${place}/${name}.cpp @ONLY CONTENT [[
#include "ddpm_embedded/@name@.h"
// .incbin: the compiler never sees the bytes.
asm(".section .rodata\n@bytes@.byte 0\n.text\n");
extern "C" {
@declarations@}
namespace ddpm::embedded {
std::map<std::string, std::string_view> @name@() {
  return {
@entries@  };
}
}  // namespace ddpm::embedded
]])
  set_source_files_properties(${place}/${name}.cpp PROPERTIES OBJECT_DEPENDS "${depends}")
  target_sources(${target} PRIVATE ${place}/${name}.cpp)
  target_include_directories(${target} PRIVATE ${place})
endfunction()
