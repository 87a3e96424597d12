/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The interface of libFuzzer, which replay.c stands in for where there is none. */

#include <stddef.h>
#include <stdint.h>

/** LLVMFuzzerTestOneInput() - run the target on one input; aborts when it finds a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
