# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What `cmake --install` puts where, the pkg-config file and the CMake package.
include(CMakePackageConfigHelpers)
set(CELL_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/cell)

install(DIRECTORY include/cell DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS cell_shared cell_static EXPORT CellTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(version ${CELL_LLVM_VERSIONS})
  install(TARGETS cellplugin-${version} LIBRARY DESTINATION ${CELL_PLUGIN_DIR}/llvm-${version})
endforeach()
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_file(cmake/cell.pc.in cell.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/cell.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(cmake/CellConfig.cmake.in ${CMAKE_BINARY_DIR}/CellConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Cell
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR CELL_PLUGIN_DIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/CellConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/CellConfig.cmake ${CMAKE_BINARY_DIR}/CellConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Cell)
