// librdkafka's variadic calls, which Swift cannot import.
#include "CShims.h"
#include <librdkafka/rdkafka.h>

int millrace_rdkafka_produce(
    void *producer, const char *topic, int32_t partition, const void *key, size_t key_count, const void *value,
    size_t value_count, int64_t timestamp, void *headers) {
    if (headers != NULL)
        return rd_kafka_producev(
            producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY((void *)key, key_count), RD_KAFKA_V_VALUE((void *)value, value_count),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(timestamp),
            RD_KAFKA_V_HEADERS((rd_kafka_headers_t *)headers), RD_KAFKA_V_END);
    return rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY((void *)key, key_count),
        RD_KAFKA_V_VALUE((void *)value, value_count), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_END);
}
