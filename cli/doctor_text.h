// SPDX-License-Identifier: Apache-2.0
// wire::DoctorReport for people: a line a check; below those that are not ok, why, and the commands
// that help, each on a line of its own.
#pragma once

#include <string>

#include "core/wire/doctor.h"

namespace codexos::cli {

std::string doctor_text(const wire::DoctorReport& r, bool color);

}  // namespace codexos::cli
