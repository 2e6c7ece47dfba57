// SPDX-License-Identifier: Apache-2.0
// Public keys and signatures that asyncssh made; the private keys are gone. All signed kHash.
#pragma once

#include <string>

#include "core/base/text.h"

namespace ssh_vectors {

inline const std::string kHash = "the hash of a key exchange, 32 b";
inline const std::string kOtherHash = "another session";

struct Vector {
  const char* algorithm;
  const char* key;
  const char* signature;
};
inline const Vector kSigned[] = {
    {"ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIB3q24fVmQTmTkhX+NrlsS37RNQNxA+uZO4Km+ol1Wqq",
     "AAAAC3NzaC1lZDI1NTE5AAAAQDHz9PSYgA+sPodhpOwiFbqJ2pAeyMlCEwMSFUYZupmHwEfqSMZkBYGubtq8L+"
     "PNnwiZUwevYW66uMOGMBQ9WQ4="},
    {"ecdsa-sha2-nistp256",
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCysbX21TQTIjzTvHk6OpL6jUHktW6Yd2y"
     "G3wFjn6eHiFllPhcFQfw8K6QonfMpEzjyiy/vh2kweLi6oFTnZx00=",
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABIAAAAIHnFHw7lvE+wgdZ3gexihv7CRQlxXY85hVZMOibSmSa6AA"
     "AAIE231Qa0e+EbSF9EeolBbdWAXm1dB+DeG+BOQ5PgRMsV"},
    {"ecdsa-sha2-nistp384",
     "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBNREorcu9HR7KVXb+9Hz/sZdIEYkxWGa7y"
     "hmzlX7yWQBwf6MAxLthA1Z+L5UUdPkr0mCmJCU+kO6YbqhYNKlyZz+FOKuC38k0gtsY5eR4oj3hxpEY9k/S3Z2"
     "1OBRkG77sQ==",
     "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAABqAAAAMQDX6mNqGA9t3UQpug9+YR3/caTS+y1RMREr+SNYNoSIo+"
     "lLEzF6ShuxUMWjtxKoR3cAAAAxALqwTpTMOU25A3kTxtp1Uv9jufdU7ry08lvy/vVcMTK0iiw6f3pkPqWWgxIL"
     "JFFxkA=="},
    {"ecdsa-sha2-nistp521",
     "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAAMfalNOq3Q9KEQneH8sHOBorKoFAXVPp"
     "UrONdxZbCfsj+azVdsjX3lZc2bHcJ3cstgafpCFloDoqVg3RgvJP7DwwCnYkJ1jtYScZwGBo7FmLw0eNs6clsD"
     "UF/k1XmXwhtiPY5MWXc+Y4MOMnoVhsHOExdZZ6Z82H3Ct50MpY2CbvvXxA==",
     "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAACMAAAAQgDdW4hRswifl16Nu0RhSlljNHVbEcz8n7Rrqotve+jvmE"
     "wl5YfrmzZdY/55yGvy/v5LJdZJi/LenDkoR9nqBCQG4AAAAEIA3kiRnttx5NyVtHpj6tWnEf/mcglRN3qrEs+A"
     "xk0s/mAMXHUnUm//abVszVOK5Noqfg3eNVuFysMWDbLCkeLyY1Q="},
    {"rsa-sha2-256",
     "AAAAB3NzaC1yc2EAAAADAQABAAABAQDM28Ajjyw2WJlAJ8hn4ZIbCmk4N9DOQIJ0uJXBDbzDGMHjpzzfIZmskH"
     "breJcIGLZPIkkDNUi3VBmS31//e+RNhBgcs+xkQSezdPnNtgNaww8+HzMIg45r6zXQ3tVx9teG211zzIXIjx01"
     "QTFqgOGvcfc1ipbSXVUG37F/pyHy5mR/2UfYYJPKNUg05BDG5i9yPfK31INaVBfgTyOobeKP70c1/xAHy3XfYc"
     "knRkwPmmgYQFnnN1JlBiZN+KLa7h/3ycBPAxLtVhXa9q50ZbfcQgrVnqjec1d/NznUIQeunXynTTud3Z2j8j9M"
     "atgrWWvA3406i6NX7GFMz6nLy46V",
     "AAAADHJzYS1zaGEyLTI1NgAAAQDI6RkgVB5PdV9k1NR3xtrebQkY6EPJ9BgNlWABlyo4L2+ybdQI9/zfNHdoGK"
     "szmQesSiX9pSICwHHhNJ7+Eh5NHQSOC8Ci/PbvoJISIOivw2ORnvg8X2XOW6pXqSDPwispB7KnLQJ+OnJZhf2x"
     "RvWspeFWtWdUtQXo5CDFEXVCDS6k019FMyM4Til30r74NuzxuBckiGQ/rXZPPS2VBeK70Wx8ZjkqSeF1k6R0RI"
     "xdcC8+xo0oqbd8VK4fLYnHenAcYzVitJR2lfVGUnKKADsyG4I9F87pb0V1hocyypXC/DgMwO48b1GPViiTRnb3"
     "EyCFAtgBADktEycNDESF0XJr"},
    {"rsa-sha2-512",
     "AAAAB3NzaC1yc2EAAAADAQABAAABAQDM28Ajjyw2WJlAJ8hn4ZIbCmk4N9DOQIJ0uJXBDbzDGMHjpzzfIZmskH"
     "breJcIGLZPIkkDNUi3VBmS31//e+RNhBgcs+xkQSezdPnNtgNaww8+HzMIg45r6zXQ3tVx9teG211zzIXIjx01"
     "QTFqgOGvcfc1ipbSXVUG37F/pyHy5mR/2UfYYJPKNUg05BDG5i9yPfK31INaVBfgTyOobeKP70c1/xAHy3XfYc"
     "knRkwPmmgYQFnnN1JlBiZN+KLa7h/3ycBPAxLtVhXa9q50ZbfcQgrVnqjec1d/NznUIQeunXynTTud3Z2j8j9M"
     "atgrWWvA3406i6NX7GFMz6nLy46V",
     "AAAADHJzYS1zaGEyLTUxMgAAAQBtn+0o2TmPOzJIp0H4QLcuRdMUGtyNqe+0wvlx7j4I1aR1S3GuWpTE4+EFdF"
     "9RR04LgalgfARPYWkp1l9TixAEs1CM8G3WBoLQpROK+zi7Ch/SsdoW9ZT5IARqIxiskcma16Q3zuQPYEAZKz46"
     "rAAnaOzLAzunOar8IXWlqBB5UQqV2vLwppOljH1JDNaao342jjtBfEDkTYSeDjRsf/o938YhaonTNTFxY1fKHn"
     "aKkZvwiO3ymTDMACMHrs/3pJs4BT3ZIl75xxgnqJ/CbU1ofvY6mJoii6hR4Rz56DRUoin+bi9DztVdkymeJzB/"
     "qXDDpvamKGCiOh5N3BpUG5sy"},
};
/// By SHA-1.
inline const Vector kOld = {
    "ssh-rsa",
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDM28Ajjyw2WJlAJ8hn4ZIbCmk4N9DOQIJ0uJXBDbzDGMHjpzzfIZmskH"
    "breJcIGLZPIkkDNUi3VBmS31//e+RNhBgcs+xkQSezdPnNtgNaww8+HzMIg45r6zXQ3tVx9teG211zzIXIjx01"
    "QTFqgOGvcfc1ipbSXVUG37F/pyHy5mR/2UfYYJPKNUg05BDG5i9yPfK31INaVBfgTyOobeKP70c1/xAHy3XfYc"
    "knRkwPmmgYQFnnN1JlBiZN+KLa7h/3ycBPAxLtVhXa9q50ZbfcQgrVnqjec1d/NznUIQeunXynTTud3Z2j8j9M"
    "atgrWWvA3406i6NX7GFMz6nLy46V",
    "AAAAB3NzaC1yc2EAAAEAAiGisLfGngVYptDzjMWywq4ei5ifDke+L2+oTlq5fF8CxS4qyUFm0lqYAAzjDeT9ip"
    "Zy+UY5Ah/83AR4WnHqHLtK4MHCXdpckQekDTyBSfC9nx3t5GDU6Za+felMjP+/uOqeFzkChqQVYb7TOejBy+0z"
    "hIYn+Rb5kwKGghC/+mTCxoYQPlRE3rXeWwvQAU/PU1s76lmn3ygxc7s26B8v/XIRJeM0npWyY6eoinzFs3lI8J"
    "SjT4XGAnyruDbaWuFNMsPjgiPNPXzwSbAG3JYGT7BVruqTI1Y1eL4A148mc/Cz63rQZTxRxi3c9XVxo6l7gLB/"
    "onODAxh/479FTbbUnQ=="};
/// Of another host, which signed kOtherHash, and kHash.
inline const char* const kOtherKey =
    "AAAAC3NzaC1lZDI1NTE5AAAAIPxSSQP88BZ+bDOEspW+1KLoMuIJZveKjMatXqPpmbFd";
inline const char* const kOtherSigned =
    "AAAAC3NzaC1lZDI1NTE5AAAAQA077ramWijegfgmlr+KZOX/9IqPBcSIh06gzwIUEmrRAd0VSnT1VjcXG3CHY8"
    "SLs1Qv/gGGiwSaf8Wk5HHpmA8=";
inline const char* const kOtherSignedHash =
    "AAAAC3NzaC1lZDI1NTE5AAAAQCbBZCJmPPlXiB/4ttJL9c7nUINJTepCThxNo2PY9Wy89x6Jk5m1DZsvOfZELp"
    "g9U25e7ctRLu4u1N8CZCBBGgI=";
inline const char* const kUserKey =
    "AAAAC3NzaC1lZDI1NTE5AAAAIK5u5IGXWvDzYsSBRNhnnlEPIABumydGy4vDbDunm68K";
inline const char* const kFingerprint =
    "SHA256:yAQwegdhjdxrTAA0guxycKJgJMy0d+9MW0qCEibA1lo";  // of the first
/// good.test, and port 2222 of it, as ssh-keygen -H hashed them.
inline const char* const kHashedName =
    "|1|hg6gExYzNavajozZcK3UsuEKNos=|xYTv6y2kJyoRKt/SAlc1BOBvvYk=";
inline const char* const kHashedPort =
    "|1|84kCtrcV6UOzbTst1GRu2VqC1Ew=|qvd5YCkWQmjsrxvP6ztw3RIp/pw=";

inline std::string bytes(const char* base64) { return *codexos::from_base64(base64); }

}  // namespace ssh_vectors
