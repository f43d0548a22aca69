// librdkafka as Debian ships it (2.0.2), as a program; see lines.py for what it reads and writes.
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BIG "8388608"

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/// Pairs of names and values, ended by NULL.
static rd_kafka_t *handle(rd_kafka_type_t type, const char *brokers, ...) {
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    va_list pairs;
    va_start(pairs, brokers);
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    for (const char *name; (name = va_arg(pairs, const char *));)
        if (rd_kafka_conf_set(conf, name, va_arg(pairs, const char *), error, sizeof error)) die("%s: %s", name, error);
    va_end(pairs);
    rd_kafka_t *kafka = rd_kafka_new(type, conf, error, sizeof error);
    if (!kafka) die("%s", error);
    if (type == RD_KAFKA_CONSUMER) rd_kafka_poll_set_consumer(kafka);
    return kafka;
}

struct bytes { char *data; size_t size; };

static int digit(char letter) {
    return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

/// Takes apart hexadecimal text in place; no data for `-`.
static struct bytes unhex(char *text) {
    struct bytes bytes = {NULL, 0};
    if (strcmp(text, "-") == 0) return bytes;
    bytes.data = text;
    for (; text[0] && text[1]; text += 2) bytes.data[bytes.size++] = (char)(digit(text[0]) << 4 | digit(text[1]));
    return bytes;
}

static void print(const void *data, size_t size) {
    if (!data) printf("-");
    else if (size > 4096) printf("#%zu:%08lx", size, crc32(0, data, size));
    else for (size_t at = 0; at < size; at++) printf("%02x", ((const unsigned char *)data)[at]);
}

static int undelivered;
static rd_kafka_resp_err_t delivery_error;

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka, (void)opaque;
    undelivered--;
    if (message->err) delivery_error = message->err;
}

static rd_kafka_t *producer_handle(const char *brokers, const char *name, const char *value, const char *more, const char *other) {
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "message.max.bytes", BIG, NULL, 0);
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error)) die("%s", error);
    if (rd_kafka_conf_set(conf, more, other, error, sizeof error)) die("%s", error);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!kafka) die("%s", error);
    return kafka;
}

static void flush(rd_kafka_t *kafka) {
    if (rd_kafka_flush(kafka, 60000)) die("not all delivered within 60 s");
    if (delivery_error) die("delivery: %s", rd_kafka_err2str(delivery_error));
}

static void send_line(rd_kafka_t *kafka, const char *topic, char *line) {
    char *fields[5] = {0};
    for (int at = 0; at < 5; at++) fields[at] = strsep(&line, "\t");
    if (!fields[4]) die("expected five fields");
    struct bytes key = unhex(fields[2]), value = unhex(fields[3]);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    for (char *pair; (pair = strsep(&fields[4], ",")) && *pair;) {
        struct bytes name = unhex(strsep(&pair, "=")), content = unhex(pair);
        rd_kafka_header_add(headers, name.data, (ssize_t)name.size, content.data, (ssize_t)content.size);
    }
    undelivered++;
    rd_kafka_resp_err_t error = rd_kafka_producev(
        kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(atoi(fields[0])), RD_KAFKA_V_TIMESTAMP(atoll(fields[1])),
        RD_KAFKA_V_KEY(key.data, key.size), RD_KAFKA_V_VALUE(value.data, value.size), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (error) die("%s: %s", topic, rd_kafka_err2str(error));
}

static void write_records(const char *brokers, int count, char **targets) {
    char *lines[1000];
    size_t size, known = 0;
    for (char *line = NULL; known < 1000 && getline(&line, &size, stdin) > 0; line = NULL) {
        line[strcspn(line, "\n")] = 0;
        lines[known++] = line;
    }
    for (int target = 0; target < count; target++) {
        char *codec = targets[target], *topic = strsep(&codec, "=");
        rd_kafka_t *kafka = producer_handle(brokers, "compression.type", codec, "linger.ms", "50");
        for (size_t at = 0; at < known; at++) {
            char *copy = strdup(lines[at]);
            send_line(kafka, topic, copy);
            free(copy);
        }
        flush(kafka);
        rd_kafka_destroy(kafka);
    }
}

static void assign(rd_kafka_t *kafka, int count, char **topics, int64_t offset) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int topic = 0; topic < count; topic++) rd_kafka_topic_partition_list_add(list, topics[topic], 0)->offset = offset;
    if (rd_kafka_assign(kafka, list)) die("not assigned");
    rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_message_t *next(rd_kafka_t *kafka) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, 30000);
    if (!message) die("nothing came within 30 s");
    if (message->err) die("%s", rd_kafka_message_errstr(message));
    return message;
}

static void read_records(const char *brokers, const char *isolation, int topics, char **targets) {
    rd_kafka_t *kafka = handle(
        RD_KAFKA_CONSUMER, brokers, "group.id", "none", "isolation.level", isolation, "enable.auto.commit", "false",
        "auto.offset.reset", "error", "fetch.message.max.bytes", BIG, "fetch.wait.max.ms", "20", NULL);
    int left = 0;
    for (int topic = 0; topic < topics; topic++) {
        char *count = targets[topic];
        strsep(&count, "=");
        left += atoi(count);
    }
    // All at once: it takes up to a second until the leader of what was assigned is known.
    for (assign(kafka, topics, targets, 0); left > 0; left--) {
        rd_kafka_message_t *message = next(kafka);
        printf("%s\t%d\t%lld\t%lld\t", rd_kafka_topic_name(message->rkt), message->partition, (long long)message->offset,
               (long long)rd_kafka_message_timestamp(message, NULL));
        print(message->key, message->key_len);
        putchar('\t');
        print(message->payload, message->len);
        putchar('\t');
        rd_kafka_headers_t *headers;
        const char *name;
        const void *value;
        size_t size;
        if (!rd_kafka_message_headers(message, &headers))
            for (size_t header = 0; !rd_kafka_header_get_all(headers, header, &name, &value, &size); header++) {
                if (header) putchar(',');
                print(name, strlen(name));
                putchar('=');
                print(value, size);
            }
        putchar('\n');
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

static void show_offsets(const char *brokers, char *topic, int64_t timestamp) {
    rd_kafka_t *kafka = handle(
        RD_KAFKA_CONSUMER, brokers, "group.id", "none", "enable.auto.commit", "false", "auto.offset.reset", "error", NULL);
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(kafka, topic, 0, &low, &high, 30000)) die("no offsets");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = timestamp;
    if (rd_kafka_offsets_for_times(kafka, list, 30000)) die("no offset for the time");
    printf("%lld %lld %lld\n", (long long)low, (long long)high, (long long)list->elems[0].offset);
    assign(kafka, 1, &topic, list->elems[0].offset);
    rd_kafka_message_t *message = next(kafka);
    printf("%.*s\n", (int)message->len, (const char *)message->payload);
    rd_kafka_message_destroy(message);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

static void rebalanced(rd_kafka_t *kafka, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *parts, void *opaque) {
    (void)opaque;
    int assigned = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    printf("%s ", assigned ? "assigned" : "revoked");
    for (int at = 0; at < parts->cnt; at++) printf(at ? ",%d" : "%d", parts->elems[at].partition);
    putchar('\n');
    if (strcmp(rd_kafka_rebalance_protocol(kafka), "COOPERATIVE") == 0) {
        rd_kafka_error_destroy(assigned ? rd_kafka_incremental_assign(kafka, parts) : rd_kafka_incremental_unassign(kafka, parts));
    } else {
        rd_kafka_assign(kafka, assigned ? parts : NULL);
    }
}

static void member(const char *brokers, const char *group, const char *topic, const char *instance, const char *strategy) {
    char text[512];
    const char *pairs[] = {
        "bootstrap.servers", brokers, "group.id", group, "partition.assignment.strategy", strategy, "enable.auto.commit", "false",
        "auto.offset.reset", "earliest", "session.timeout.ms", strcmp(instance, "-") ? "15000" : "6000", "heartbeat.interval.ms", "300", "fetch.wait.max.ms", "50",
        strcmp(instance, "-") ? "group.instance.id" : NULL, instance, NULL};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (const char **pair = pairs; *pair; pair += 2)
        if (rd_kafka_conf_set(conf, pair[0], pair[1], text, sizeof text)) die("%s", text);
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!kafka) die("%s", text);
    rd_kafka_poll_set_consumer(kafka);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(kafka, topics)) die("not subscribed");
    rd_kafka_topic_partition_list_destroy(topics);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    for (int read = 0; poll(&input, 1, 0) == 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, 50);
        if (message && !message->err) {
            printf("record %d %lld\n", message->partition, (long long)message->offset);
            read++;
        }
        if (read && (!message || read == 200)) {
            rd_kafka_resp_err_t error = rd_kafka_commit(kafka, NULL, 0);
            if (error) printf("refused %s\n", rd_kafka_err2name(error));
            read = 0;
        }
        if (message) rd_kafka_message_destroy(message);
    }
    rd_kafka_commit(kafka, NULL, 0);
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

static void answer(rd_kafka_error_t *error) {
    printf(error ? "error %s\n" : "ok\n", rd_kafka_error_name(error));
    if (error) rd_kafka_error_destroy(error);
}

static void producer(const char *brokers, const char *name, const char *timeout) {
    rd_kafka_t *kafka = producer_handle(brokers, "transactional.id", name, "transaction.timeout.ms", timeout);
    char word[20], topic[200], text[200];
    int partition;
    long long offset;
    for (char line[1000]; fgets(line, sizeof line, stdin);) {
        int fields = sscanf(line, "%19s %199s %199s %d %lld", word, topic, text, &partition, &offset);
        if (!strcmp(word, "init")) answer(rd_kafka_init_transactions(kafka, 30000));
        else if (!strcmp(word, "begin")) answer(rd_kafka_begin_transaction(kafka));
        else if (!strcmp(word, "commit")) answer(rd_kafka_commit_transaction(kafka, 30000));
        else if (!strcmp(word, "abort")) answer(rd_kafka_abort_transaction(kafka, 30000));
        else if (!strcmp(word, "offsets") && fields == 5) {
            rd_kafka_t *consumer = handle(RD_KAFKA_CONSUMER, brokers, "group.id", topic, NULL);
            rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
            rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
            rd_kafka_topic_partition_list_add(list, text, partition)->offset = offset;
            answer(rd_kafka_send_offsets_to_transaction(kafka, list, group, 30000));
            rd_kafka_topic_partition_list_destroy(list);
            rd_kafka_consumer_group_metadata_destroy(group);
            rd_kafka_consumer_close(consumer);
            rd_kafka_destroy(consumer);
        } else if (!strcmp(word, "send") && sscanf(line, "send %199s %d %199s", topic, &partition, text) == 3) {
            delivery_error = 0;
            undelivered = 1;
            rd_kafka_resp_err_t error = rd_kafka_producev(
                kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_VALUE(text, strlen(text)),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
            if (!error) {
                rd_kafka_flush(kafka, 30000);
                error = delivery_error;
            }
            printf(error ? "error %s\n" : "ok\n", rd_kafka_err2name(error));
        } else die("not understood: %s", line);
    }
    rd_kafka_destroy(kafka);
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *verb = count > 3 ? words[1] : "", *brokers = words[2];
    if (!strcmp(verb, "write")) write_records(brokers, count - 3, words + 3);
    else if (!strcmp(verb, "read")) read_records(brokers, words[3], count - 4, words + 4);
    else if (!strcmp(verb, "offsets")) show_offsets(brokers, words[3], atoll(words[4]));
    else if (!strcmp(verb, "member")) member(brokers, words[3], words[4], words[5], words[6]);
    else if (!strcmp(verb, "producer")) producer(brokers, words[3], words[4]);
    else die("expected write, read, offsets, member or producer");
}
