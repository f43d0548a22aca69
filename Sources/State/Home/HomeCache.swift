import CRocksDB
import CShims

/// What the homes of a process share: one block cache, which also holds their indexes and filters, so that memory is bounded however many
/// tasks there are. RocksDB's background threads are one pool a process as they are.
package final class HomeCache: Sendable {
    // Sendable: RocksDB's cache is made to be used from many threads; the pointer itself never changes.
    nonisolated(unsafe) let cache: OpaquePointer

    /// - Parameter bytes: of blocks, indexes and filters, for all homes together.
    package init(bytes: Int) {
        cache = rocksdb_cache_create_lru(max(bytes, 1 << 20))
    }

    deinit { rocksdb_cache_destroy(cache) }

    /// What it holds, bytes.
    package var usage: Int { Int(rocksdb_cache_get_usage(cache)) }

    /// Options of a home's database; the caller destroys them.
    func makeOptions() -> OpaquePointer {
        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_block_cache(table, cache)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        rocksdb_block_based_options_set_block_size(table, 8 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))

        let options: OpaquePointer = rocksdb_options_create()
        rocksdb_options_set_block_based_table_factory(options, table)
        rocksdb_block_based_options_destroy(table)
        // Only marks and a few deletions go through the memtable; runs are ingested.
        rocksdb_options_set_write_buffer_size(options, 2 << 20)
        rocksdb_options_set_max_write_buffer_number(options, 2)
        rocksdb_options_set_target_file_size_base(options, 32 << 20)
        rocksdb_options_set_max_bytes_for_level_base(options, 128 << 20)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        // An application adds up to four files, of which two hold next to nothing.
        rocksdb_options_set_level0_file_num_compaction_trigger(options, 8)
        rocksdb_options_set_compression(options, CInt(rocksdb_lz4_compression))
        rocksdb_options_set_bottommost_compression(options, CInt(rocksdb_zstd_compression))
        rocksdb_options_set_max_open_files(options, 256)
        rocksdb_options_set_max_file_opening_threads(options, 1)
        rocksdb_options_set_max_background_jobs(options, 2)
        rocksdb_options_set_skip_stats_update_on_db_open(options, 1)
        rocksdb_options_set_stats_dump_period_sec(options, 0)
        rocksdb_options_set_stats_persist_period_sec(options, 0)
        // RocksDB as distributions build it, with assertions, aborts the process when it cannot write its log on a full disk.
        millrace_rocksdb_silence(UnsafeMutableRawPointer(options))
        rocksdb_options_set_max_manifest_file_size(options, 4 << 20)
        rocksdb_options_set_bytes_per_sync(options, 1 << 20)
        return options
    }
}
