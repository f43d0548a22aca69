// segmentio/kafka-go as Debian ships it (0.2.1), as a program; see lines.py for what it reads and writes.
// It has neither headers nor transactions nor zstd.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/gzip"
	"github.com/segmentio/kafka-go/lz4"
	"github.com/segmentio/kafka-go/snappy"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func data(field string) []byte {
	if field == "-" {
		return nil
	}
	bytes, err := hex.DecodeString(field)
	check(err)
	return bytes
}

func text(data []byte) string {
	if data == nil {
		return "-"
	}
	if len(data) > 4096 {
		return fmt.Sprintf("#%d:%08x", len(data), crc32.ChecksumIEEE(data))
	}
	return hex.EncodeToString(data)
}

func dial(brokers string, topic string) *kafka.Conn {
	conn, err := kafka.DialLeader(context.Background(), "tcp", brokers, topic, 0)
	check(err)
	check(conn.SetDeadline(time.Now().Add(60 * time.Second)))
	return conn
}

func write(brokers string, targets []string) {
	codecs := map[string]kafka.CompressionCodec{
		"none": nil, "gzip": gzip.NewCompressionCodec(), "snappy": snappy.NewCompressionCodec(), "lz4": lz4.NewCompressionCodec(),
	}
	var messages []kafka.Message
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			break
		}
		check(err)
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		milliseconds, err := strconv.ParseInt(fields[1], 10, 64)
		check(err)
		messages = append(messages, kafka.Message{
			Key: data(fields[2]), Value: data(fields[3]), Time: time.Unix(milliseconds/1000, milliseconds%1000*1e6),
		})
	}
	for _, target := range targets {
		pair := strings.Split(target, "=")
		conn := dial(brokers, pair[0])
		_, err := conn.WriteCompressedMessages(codecs[pair[1]], messages...)
		check(err)
		check(conn.Close())
	}
}

func show(message kafka.Message) {
	fmt.Printf("%s\t%d\t%d\t%d\t%s\t%s\t\n", message.Topic, message.Partition, message.Offset, message.Time.UnixNano()/1e6,
		text(message.Key), text(message.Value))
}

func read(brokers string, targets []string) {
	for _, target := range targets {
		pair := strings.Split(target, "=")
		topic := pair[0]
		count, err := strconv.Atoi(pair[1])
		check(err)
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{brokers}, Topic: topic, Partition: 0, MinBytes: 1, MaxBytes: 8 << 20, MaxWait: 20 * time.Millisecond,
		})
		for at := 0; at < count; at++ {
			limit, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			message, err := reader.ReadMessage(limit)
			cancel()
			check(err)
			show(message)
		}
		check(reader.Close())
	}
}

func offsets(brokers string, topic string, timestamp string) {
	conn := dial(brokers, topic)
	milliseconds, err := strconv.ParseInt(timestamp, 10, 64)
	check(err)
	first, last, err := conn.ReadOffsets()
	check(err)
	at, err := conn.ReadOffset(time.Unix(milliseconds/1000, milliseconds%1000*1e6))
	check(err)
	fmt.Println(first, last, at)
	_, err = conn.Seek(at, kafka.SeekAbsolute)
	check(err)
	message, err := conn.ReadMessage(1 << 20)
	check(err)
	fmt.Println(string(message.Value))
	check(conn.Close())
}

func member(brokers string, group string, topic string) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{brokers}, GroupID: group, Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 50 * time.Millisecond,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}}, SessionTimeout: 6 * time.Second,
		HeartbeatInterval: 300 * time.Millisecond, RebalanceTimeout: 10 * time.Second,
	})
	// Reading and committing go on until standard input ends.
	running, stop := context.WithCancel(context.Background())
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		stop()
	}()
	for {
		message, err := reader.FetchMessage(running)
		if running.Err() != nil {
			break
		}
		check(err)
		fmt.Println("record", message.Partition, message.Offset)
		if err := reader.CommitMessages(running, message); err != nil && running.Err() == nil {
			// A rebalance came between: what was read is read again by its new owner.
			fmt.Println("refused", err)
		}
	}
	check(reader.Close())
}

func administer(brokers string) {
	conn, err := kafka.Dial("tcp", brokers)
	check(err)
	check(conn.CreateTopics(kafka.TopicConfig{
		Topic: "go-made", NumPartitions: 3, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "86400000"}},
	}))
	partitions, err := conn.ReadPartitions("go-made")
	check(err)
	fmt.Println("partitions", len(partitions))
	check(conn.DeleteTopics("go-made"))
	check(conn.Close())
}

func main() {
	arguments := os.Args[1:]
	brokers := arguments[1]
	switch arguments[0] {
	case "write":
		write(brokers, arguments[2:])
	case "read":
		read(brokers, arguments[3:])
	case "offsets":
		offsets(brokers, arguments[2], arguments[3])
	case "member":
		member(brokers, arguments[2], arguments[3])
	case "admin":
		administer(brokers)
	}
}
