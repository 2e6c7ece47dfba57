// SPDX-License-Identifier: Apache-2.0
// doctor --fix: what can be put right without root, without losing anything, and without changing
// more than the state folder. All else is told, and done by whoever answers for the machine.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/os/place.h"
#include "core/wire/doctor.h"

namespace codexos::cli {

/// Does what is fixable of the report; in words, what was done. An error tells what could not be.
Result<std::vector<std::string>> fix_checks(const wire::DoctorReport& report, const Place& place);

}  // namespace codexos::cli
