// Placeholder until the first file of KafkaLog/Storage lands.
