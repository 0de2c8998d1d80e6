# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What `cmake --install` puts where, the pkg-config file and the CMake package. Both find everything relative to
# themselves, so that an installed tree may be moved. Programs and cells say where they go in their own folders.
include(CMakePackageConfigHelpers)
set(CELL_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/cell)
set(CELL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Cell)
set(CELL_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY include/cell DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS cell_shared cell_static cellast cell_https
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(version ${CELL_LLVM_VERSIONS})
  install(TARGETS cellplugin-${version} LIBRARY DESTINATION ${CELL_PLUGIN_DIR}/llvm-${version})
endforeach()
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

# From the folder of cell.pc to the prefix: "../.." for lib/pkgconfig, one more for lib/x86_64-linux-gnu/pkgconfig.
file(RELATIVE_PATH CELL_PREFIX_FROM_PKGCONFIG /prefix/${CELL_PKGCONFIG_DIR} /prefix)
string(REGEX REPLACE "/$" "" CELL_PREFIX_FROM_PKGCONFIG "${CELL_PREFIX_FROM_PKGCONFIG}")
configure_file(cmake/cell.pc.in cell.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/cell.pc DESTINATION ${CELL_PKGCONFIG_DIR})

configure_package_config_file(cmake/CellConfig.cmake.in ${CMAKE_BINARY_DIR}/CellConfig.cmake
  INSTALL_DESTINATION ${CELL_PACKAGE_DIR}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR CELL_PLUGIN_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/CellConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/CellConfig.cmake ${CMAKE_BINARY_DIR}/CellConfigVersion.cmake
  DESTINATION ${CELL_PACKAGE_DIR})
