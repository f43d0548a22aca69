// A RocksDB without its log of messages.
#include "CShims.h"

#include <rocksdb/c.h>
#include <rocksdb/env.h>

#include <memory>

// As the library defines it: its C interface takes a logger and makes none.
struct rocksdb_logger_t {
    std::shared_ptr<rocksdb::Logger> rep;
};

namespace {

class Silence final : public rocksdb::Logger {
  public:
    using rocksdb::Logger::Logv;
    void Logv(const char *, va_list) override {}
};

}  // namespace

extern "C" void millrace_rocksdb_silence(void *options) {
    rocksdb_logger_t logger{std::make_shared<Silence>()};
    rocksdb_options_set_info_log(static_cast<rocksdb_options_t *>(options), &logger);
}
