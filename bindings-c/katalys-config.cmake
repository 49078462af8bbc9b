# find_package(katalys) defines the targets katalys::katalys (the shared library) and katalys::static.
get_filename_component(_katalys_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET katalys::katalys)
  add_library(katalys::katalys SHARED IMPORTED)
  set_target_properties(katalys::katalys PROPERTIES
    IMPORTED_LOCATION "${_katalys_prefix}/lib/libkatalys.so.0"
    IMPORTED_SONAME libkatalys.so.0
    INTERFACE_INCLUDE_DIRECTORIES "${_katalys_prefix}/include")

  find_package(Threads REQUIRED)
  add_library(katalys::static STATIC IMPORTED)
  set_target_properties(katalys::static PROPERTIES
    IMPORTED_LOCATION "${_katalys_prefix}/lib/libkatalys.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_katalys_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()

unset(_katalys_prefix)
