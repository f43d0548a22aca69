import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The official Java client as a program; see lines.py for what it reads and writes. */
public final class JavaClient {
    private static final HexFormat HEX = HexFormat.of();
    private static final String BIG = "8388608";
    private static final BufferedReader INPUT = new BufferedReader(new InputStreamReader(System.in));
    private static final PrintStream OUTPUT = new PrintStream(System.out, true);

    public static void main(String[] words) throws Exception {
        List<String> rest = List.of(words).subList(2, words.length);
        String brokers = words[1];
        switch (words[0]) {
            case "write" -> write(brokers, rest);
            case "read" -> read(brokers, rest.get(0), rest.subList(1, rest.size()));
            case "offsets" -> offsets(brokers, rest.get(0), Long.parseLong(rest.get(1)));
            case "member" -> member(brokers, rest.get(0), rest.get(1), rest.get(2), rest.get(3));
            case "producer" -> producer(brokers, rest.get(0), rest.get(1));
            case "admin" -> administer(brokers);
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private static Properties settings(String brokers, String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", brokers);
        for (int at = 0; at < pairs.length; at += 2) properties.put(pairs[at], pairs[at + 1]);
        return properties;
    }

    private static KafkaProducer<byte[], byte[]> producerWith(Properties properties) {
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static KafkaConsumer<byte[], byte[]> consumerWith(Properties properties) {
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] data(String field) {
        return field.equals("-") ? null : HEX.parseHex(field);
    }

    private static String text(byte[] data) {
        if (data == null) return "-";
        if (data.length <= 4096) return HEX.formatHex(data);
        CRC32 sum = new CRC32();
        sum.update(data);
        return String.format("#%d:%08x", data.length, sum.getValue());
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, String line) {
        String[] fields = line.split("\t", -1);
        List<Header> headers = new ArrayList<>();
        for (String pair : fields[4].isEmpty() ? new String[0] : fields[4].split(",")) {
            String[] sides = pair.split("=", -1);
            headers.add(new RecordHeader(new String(HEX.parseHex(sides[0]), java.nio.charset.StandardCharsets.UTF_8), data(sides[1])));
        }
        return new ProducerRecord<>(
            topic, Integer.valueOf(fields[0]), Long.valueOf(fields[1]), data(fields[2]), data(fields[3]), headers);
    }

    private static void write(String brokers, List<String> targets) throws Exception {
        List<String> lines = INPUT.lines().toList();
        for (String target : targets) {
            String[] pair = target.split("=");
            Properties properties = settings(
                brokers, "compression.type", pair[1], "max.request.size", BIG, "linger.ms", "50", "delivery.timeout.ms", "60000");
            try (KafkaProducer<byte[], byte[]> producer = producerWith(properties)) {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (String line : lines) sent.add(producer.send(record(pair[0], line)));
                for (Future<RecordMetadata> one : sent) one.get();
            }
        }
    }

    private static ConsumerRecord<byte[], byte[]> show(ConsumerRecord<byte[], byte[]> record) {
        String headers = java.util.Arrays.stream(record.headers().toArray())
            .map(header -> text(header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8)) + "=" + text(header.value()))
            .collect(Collectors.joining(","));
        OUTPUT.println(String.join(
            "\t", record.topic(), "" + record.partition(), "" + record.offset(), "" + record.timestamp(), text(record.key()),
            text(record.value()), headers));
        return record;
    }

    private static List<ConsumerRecord<byte[], byte[]>> from(
        KafkaConsumer<byte[], byte[]> consumer, TopicPartition place, long offset, int count
    ) {
        consumer.assign(List.of(place));
        consumer.seek(place, offset);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (records.size() < count) {
            if (System.nanoTime() > deadline) throw new IllegalStateException(place + ": not all came within 30 s");
            records.addAll(consumer.poll(Duration.ofMillis(200)).records(place));
        }
        return records;
    }

    private static void read(String brokers, String isolation, List<String> targets) {
        Properties properties = settings(
            brokers, "isolation.level", isolation, "enable.auto.commit", "false", "auto.offset.reset", "none",
            "max.partition.fetch.bytes", BIG, "fetch.max.wait.ms", "20");
        try (KafkaConsumer<byte[], byte[]> consumer = consumerWith(properties)) {
            for (String target : targets) {
                String[] pair = target.split("=");
                from(consumer, new TopicPartition(pair[0], 0), 0, Integer.parseInt(pair[1])).forEach(JavaClient::show);
            }
        }
    }

    private static void offsets(String brokers, String topic, long timestamp) {
        TopicPartition place = new TopicPartition(topic, 0);
        Properties properties = settings(brokers, "enable.auto.commit", "false", "auto.offset.reset", "none");
        try (KafkaConsumer<byte[], byte[]> consumer = consumerWith(properties)) {
            long low = consumer.beginningOffsets(List.of(place)).get(place);
            long high = consumer.endOffsets(List.of(place)).get(place);
            long at = consumer.offsetsForTimes(Map.of(place, timestamp)).get(place).offset();
            OUTPUT.println(low + " " + high + " " + at);
            OUTPUT.println(new String(from(consumer, place, at, 1).get(0).value()));
        }
    }

    private static String numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(place -> "" + place.partition()).collect(Collectors.joining(","));
    }

    private static void member(String brokers, String group, String topic, String instance, String strategy) throws Exception {
        String assignor = strategy.equals("range") ? "RangeAssignor" : "CooperativeStickyAssignor";
        Properties properties = settings(
            brokers, "group.id", group, "enable.auto.commit", "false", "auto.offset.reset", "earliest", "session.timeout.ms", instance.equals("-") ? "6000" : "15000",
            "heartbeat.interval.ms", "300", "fetch.max.wait.ms", "50",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        if (!instance.equals("-")) properties.put("group.instance.id", instance);
        try (KafkaConsumer<byte[], byte[]> consumer = consumerWith(properties)) {
            consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    OUTPUT.println("assigned " + numbers(partitions));
                }

                @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    OUTPUT.println("revoked " + numbers(partitions));
                }
            });
            while (System.in.available() == 0) {
                var records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<byte[], byte[]> one : records) OUTPUT.println("record " + one.partition() + " " + one.offset());
                try {
                    if (!records.isEmpty()) consumer.commitSync();
                } catch (CommitFailedException | RebalanceInProgressException error) {
                    // A rebalance came between: what was read is read again by its new owner.
                    OUTPUT.println("refused " + error.getClass().getSimpleName());
                }
            }
        }
    }

    private static void producer(String brokers, String name, String timeout) throws Exception {
        Properties properties = settings(
            brokers, "transactional.id", name, "transaction.timeout.ms", timeout, "max.block.ms", "30000",
            "delivery.timeout.ms", "30000", "request.timeout.ms", "10000");
        KafkaProducer<byte[], byte[]> producer = producerWith(properties);
        for (String line = INPUT.readLine(); line != null; line = INPUT.readLine()) {
            String[] words = line.split(" ");
            try {
                switch (words[0]) {
                    case "init" -> producer.initTransactions();
                    case "begin" -> producer.beginTransaction();
                    case "send" -> producer.send(
                        new ProducerRecord<>(words[1], Integer.valueOf(words[2]), null, words[3].getBytes())).get();
                    case "offsets" -> {
                        try (KafkaConsumer<byte[], byte[]> consumer = consumerWith(settings(brokers, "group.id", words[1]))) {
                            TopicPartition place = new TopicPartition(words[2], Integer.parseInt(words[3]));
                            producer.sendOffsetsToTransaction(
                                Map.of(place, new OffsetAndMetadata(Long.parseLong(words[4]))), consumer.groupMetadata());
                        }
                    }
                    case "commit" -> producer.commitTransaction();
                    case "abort" -> producer.abortTransaction();
                    default -> throw new IllegalArgumentException(line);
                }
                OUTPUT.println("ok");
            } catch (KafkaException error) {
                OUTPUT.println("error " + error.getClass().getSimpleName());
            } catch (ExecutionException error) {
                OUTPUT.println("error " + error.getCause().getClass().getSimpleName());
            }
        }
        producer.close(Duration.ZERO);
    }

    private static void expect(boolean condition, String what, Object found) {
        if (!condition) throw new AssertionError("expected " + what + ", not " + found);
        OUTPUT.println("ok " + what);
    }

    private static long offset(Admin admin, TopicPartition place, OffsetSpec spec) throws Exception {
        ListOffsetsResult.ListOffsetsResultInfo info = admin.listOffsets(Map.of(place, spec)).partitionResult(place).get();
        return info.offset();
    }

    /** What an administrator does, in one go; each step is checked through the same client. */
    private static void administer(String brokers) throws Exception {
        String topic = "java-made";
        TopicPartition place = new TopicPartition(topic, 0);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (Admin admin = Admin.create(settings(brokers)); KafkaProducer<byte[], byte[]> producer = producerWith(settings(brokers))) {
            var cluster = admin.describeCluster();
            expect(cluster.nodes().get().size() == 1 && cluster.controller().get() != null && !cluster.clusterId().get().isEmpty(),
                "one node that is the controller", cluster.nodes().get());

            NewTopic made = new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "86400000"));
            admin.createTopics(List.of(made), new CreateTopicsOptions().validateOnly(true)).all().get();
            expect(!admin.listTopics().names().get().contains(topic), "no topic after validating only", "one");
            admin.createTopics(List.of(made)).all().get();
            try {
                admin.createTopics(List.of(made)).all().get();
                expect(false, "that a topic is made once", "twice");
            } catch (ExecutionException error) {
                expect(error.getCause() instanceof TopicExistsException, "TopicExistsException", error.getCause());
            }
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            expect(described.partitions().size() == 3, "three partitions", described);

            admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
            var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            expect(config.get("max.message.bytes").value().equals("2000000"), "the altered configuration", config);
            expect(config.get("retention.ms").isDefault(), "the default after its removal", config.get("retention.ms"));

            for (int at = 0; at < 10; at++)
                producer.send(new ProducerRecord<>(topic, 0, at == 4 ? 5_000_000L : 1_000_000L + at, null, ("v" + at).getBytes())).get();
            expect(offset(admin, place, OffsetSpec.earliest()) == 0, "earliest 0", offset(admin, place, OffsetSpec.earliest()));
            expect(offset(admin, place, OffsetSpec.latest()) == 10, "latest 10", offset(admin, place, OffsetSpec.latest()));
            long found = offset(admin, place, OffsetSpec.forTimestamp(1_000_003));
            expect(found == 3, "offset 3 at its time", found);
            found = offset(admin, place, OffsetSpec.maxTimestamp());
            expect(found == 4, "offset 4 for the largest time", found);
            long low = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(place).get().lowWatermark();
            expect(low == 2 && offset(admin, place, OffsetSpec.earliest()) == 2, "a low watermark of 2", low);

            admin.alterConsumerGroupOffsets("java-group", Map.of(place, new OffsetAndMetadata(7))).all().get();
            var committed = admin.listConsumerGroupOffsets("java-group").partitionsToOffsetAndMetadata().get();
            expect(committed.get(place).offset() == 7, "a committed offset of 7", committed);
            expect(admin.listGroups().all().get().stream().anyMatch(one -> one.groupId().equals("java-group")), "the group in the list",
                admin.listGroups().all().get());
            var group = admin.describeConsumerGroups(List.of("java-group")).all().get().get("java-group");
            expect(group.groupState().toString().equals("Empty"), "an empty group", group);
            admin.deleteConsumerGroupOffsets("java-group", Set.of(place)).all().get();
            admin.deleteConsumerGroups(List.of("java-group")).all().get();
            expect(admin.listGroups().all().get().stream().noneMatch(one -> one.groupId().equals("java-group")), "no group after its end",
                admin.listGroups().all().get());

            transactions(admin, brokers, place);
            admin.deleteTopics(List.of(topic)).all().get();
            expect(!admin.listTopics().names().get().contains(topic), "no topic after its end", "one");
        }
    }

    /** An open transaction as the administrator sees it, and its end by fencing. */
    private static void transactions(Admin admin, String brokers, TopicPartition place) throws Exception {
        Properties properties = settings(brokers, "transactional.id", "java-admin", "delivery.timeout.ms", "30000", "request.timeout.ms", "10000");
        KafkaProducer<byte[], byte[]> producer = producerWith(properties);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(place.topic(), place.partition(), null, "open".getBytes())).get();
        var listed = admin.listTransactions().all().get();
        expect(listed.stream().anyMatch(one -> one.transactionalId().equals("java-admin") && one.state() == TransactionState.ONGOING),
            "an ongoing transaction in the list", listed);
        var transaction = admin.describeTransactions(List.of("java-admin")).description("java-admin").get();
        expect(transaction.topicPartitions().equals(Set.of(place)), "the partition of the transaction", transaction);
        var producers = admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers();
        var open = producers.stream().filter(one -> one.producerId() == transaction.producerId()).findFirst();
        expect(open.isPresent() && open.get().currentTransactionStartOffset().isPresent(), "the open transaction of its producer", producers);
        admin.fenceProducers(List.of("java-admin")).all().get();
        try {
            producer.commitTransaction();
            expect(false, "that a fenced producer cannot commit", "a commit");
        } catch (KafkaException error) {
            OUTPUT.println("ok a fenced producer cannot commit");
        }
        producer.close(Duration.ZERO);

        // A transaction that nobody coordinates any more is ended by hand.
        producer = producerWith(properties);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(place.topic(), place.partition(), null, "hanging".getBytes())).get();
        var hanging = admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers().stream()
            .filter(one -> one.currentTransactionStartOffset().isPresent()).findFirst().orElseThrow();
        admin.abortTransaction(new AbortTransactionSpec(
            place, hanging.producerId(), (short) hanging.producerEpoch(), hanging.coordinatorEpoch().orElse(0))).all().get();
        producers = admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers();
        expect(producers.stream().noneMatch(one -> one.currentTransactionStartOffset().isPresent()), "no open transaction", producers);
        producer.close(Duration.ZERO);
    }
}
