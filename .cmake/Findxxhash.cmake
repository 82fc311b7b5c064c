# SPDX-License-Identifier: Apache-2.0
# Finds xxHash's headers and makes the target xxhash::headers. The library compiles them inline (XXH_INLINE_ALL), so
# that nothing is linked; the distributions' packages bring no CMake file.
find_path(xxhash_INCLUDE_DIR xxhash.h)
mark_as_advanced(xxhash_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xxhash REQUIRED_VARS xxhash_INCLUDE_DIR)

if(xxhash_FOUND AND NOT TARGET xxhash::headers)
    add_library(xxhash::headers INTERFACE IMPORTED)
    set_target_properties(xxhash::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${xxhash_INCLUDE_DIR}")
endif()
