# SPDX-License-Identifier: Apache-2.0
# Installs the headers and what find_package(dinomaly) needs, all in the component "development".
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/dinomaly")
configure_package_config_file(.cmake/dinomalyConfig.cmake.in "${PROJECT_BINARY_DIR}/dinomalyConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/dinomalyConfigVersion.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)

install(TARGETS dinomaly_core dinomaly EXPORT dinomalyTargets COMPONENT development)
install(EXPORT dinomalyTargets NAMESPACE dinomaly:: DESTINATION "${package_dir}" COMPONENT development)
install(FILES "${PROJECT_BINARY_DIR}/dinomalyConfig.cmake" "${PROJECT_BINARY_DIR}/dinomalyConfigVersion.cmake"
              .cmake/Findxxhash.cmake .cmake/Findlibdeflate.cmake .cmake/dinomalyCuda.cmake
        DESTINATION "${package_dir}" COMPONENT development)
install(DIRECTORY include/dinomaly DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
        FILES_MATCHING PATTERN "*.hpp")
