// simdjson's first stage, which finds the tokens of a JSON text with SIMD instructions chosen at run time. Everything
// after it (grammar, fields, values) is in Formats. The first stage is reached through simdjson's interface of
// implementations, because its public parsers run stages that are compiled for one processor or build a whole document.
#include "CShims.h"

#include <memory>
#include <new>
#include <simdjson.h>

struct millrace_json_indexer {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stages;
};

extern "C" struct millrace_json_indexer *millrace_json_indexer_create(size_t capacity) {
    auto *indexer = new (std::nothrow) millrace_json_indexer;
    if (!indexer) return nullptr;
    // A depth of 1: only the stages that are not used here would need more.
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, indexer->stages)) {
        delete indexer;
        return nullptr;
    }
    return indexer;
}

extern "C" void millrace_json_indexer_destroy(struct millrace_json_indexer *indexer) { delete indexer; }

extern "C" enum millrace_json_index_result millrace_json_index(
    struct millrace_json_indexer *indexer, const uint8_t *bytes, size_t count, const uint32_t **tokens,
    size_t *token_count) {
    auto &stages = *indexer->stages;
    auto error = stages.stage1(bytes, count, simdjson::stage1_mode::regular);
    *tokens = stages.structural_indexes.get();
    *token_count = error ? 0 : stages.n_structural_indexes;
    switch (error) {
    case simdjson::SUCCESS: return MILLRACE_JSON_INDEXED;
    case simdjson::EMPTY: return MILLRACE_JSON_EMPTY;
    case simdjson::UTF8_ERROR: return MILLRACE_JSON_INVALID_UTF8;
    case simdjson::UNCLOSED_STRING: return MILLRACE_JSON_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS: return MILLRACE_JSON_CONTROL_CHARACTER;
    default: return MILLRACE_JSON_UNREADABLE;
    }
}
