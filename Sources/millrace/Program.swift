import CShims
import Foundation

/// How a command ended (sysexits.h for the last two).
enum ExitCode: Int32 {
    case done = 0
    case failed = 1
    case usage = 64
    case configuration = 78
}

/// The command line: picks the subcommand, ends with its exit code.
enum Program {
    static let version = "0.1.0"

    static let usage = """
        millrace: a stream processor in one binary

        usage: millrace run [--config FILE] [--log text|json] [--until-end [--flush]] [JOB.yaml...]
               millrace run [...] [--from-savepoint latest|ID|JOB/ID] [--drop-state NAME]... JOB.yaml
               millrace savepoint [--config FILE] [--json] [--list | --delete ID] JOB
               millrace state [--config FILE] [--json] [--task N] JOB
               millrace log [--config FILE] [--log text|json]
               millrace log topics|groups [--json] [--brokers H:P | --config FILE] [--property NAME=VALUE]...
               millrace log describe [--json] [--brokers H:P | --config FILE] [--property NAME=VALUE]... TOPIC|GROUP
               millrace log dump [--json] [--records [--max-bytes N]] [--partition TOPIC/N] [--from OFFSET] PATH
               millrace log user NAME
               millrace check JOB.yaml...
               millrace backfill JOB.yaml --from T --to T --run-id ID [--rate N] [--dry-run] [--config FILE] [--log text|json]
               millrace generate --events N [--rate R] [--seed S] [--users N] [--span D] [--start MS] [--key user|page] [--hot PERCENT]
                                 [--of clicks|bids] [--brokers H:P | --config FILE] TOPIC
               millrace produce --file F.jsonl [--key FIELD] [--brokers H:P | --config FILE] TOPIC
               millrace bench [--client lean|librdkafka] [--brokers H:P | --config FILE] log produce|consume|latency|transactions
               millrace bench [--rate R] [--seconds S] [--brokers H:P | --config FILE] --topic TOPIC --output TOPIC job latency
               millrace version

        run       runs jobs, and the log if the daemon file has one; --until-end works up to the end offsets found at the
                  start, commits and stops; --flush also closes the windows that are open then
                  --from-savepoint starts a job that does not run from a savepoint of its own or of another job; the same
                  command line again goes on from where the job is. --drop-state lets a transform or sink start empty whose
                  state does not fit the job file any more
        savepoint takes a savepoint of a job, running or not, and prints its id; JOB is a job file or a job's name
        state     what the checkpoint of a job holds
        log       runs the log alone: a broker for any Kafka client
                  topics, groups and describe look at a log or another Kafka that runs: topics with their records, groups with
                  their members, offsets and lag. Bytes and segments are known of the daemon file's log on this machine only
                  dump reads the files of a log directory, a partition's directory or a segment file, without a broker and
                  whether or not one runs: batches, transactions, producers, indexes, and with --records what the batches hold.
                  It goes on behind damage, says where that is, and exits with 1 then
        log user  prints a line of `log.users_file` from a password on standard input
        check     validates job files and prints their plans
        backfill  runs a job over the records of a time span, by Kafka timestamp, beside the job that runs: in a group, state, topics and
                  directories of its own, which appear when all is done. The same ID again goes on where it stopped, and gives the
                  same files. T is a time as 2026-01-31T00:00:00Z or milliseconds since 1970; --rate is a limit in records a second;
                  --dry-run says what would be read and written, and changes nothing
        generate  puts a synthetic clickstream on a topic; --key says what its records are keyed by, --hot how many of them are one user's.
                  --of bids makes the bids of the Nexmark benchmark, with --key auction|bidder
        produce   puts the lines of a file on a topic
        bench     measures one client of a log that runs, or what a job that runs takes; scripts/bench.sh does the whole of it

        generate and produce write to --brokers, else to the log of the daemon file (config/millrace.yaml), else to 127.0.0.1:9092.

        Exit: 0 done, or stopped by SIGTERM or SIGINT after a last commit; 1 failed while running; 64 bad usage; 78 bad configuration.

        """

    static func run() -> Never {
        // A peer that hangs up is an error of a write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        millrace_settle_malloc(256 << 10)
        var arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
        guard let command = arguments.command() else { finish(.usage, usage) }
        do throws(UsageError) {
            switch command {
            case "run": finish(try RunCommand(&arguments).run())
            case "log": finish(try runLog(&arguments))
            case "backfill": finish(try BackfillCommand(&arguments).run())
            case "check": finish(try CheckCommand(&arguments).run())
            case "generate": finish(try GenerateCommand(&arguments).run())
            case "produce": finish(try ProduceCommand(&arguments).run())
            case "savepoint": finish(try SavepointCommand(&arguments).run())
            case "state": finish(try StateCommand(&arguments).run())
            case "bench": finish(try BenchCommand(&arguments).run())
            case "version", "--version":
                print("millrace \(version)")
                finish(.done)
            case "help", "--help", "-h":
                print(usage, terminator: "")
                finish(.done)
            default:
                throw UsageError("there is no command `\(command)`")
            }
        } catch {
            finish(.usage, "millrace: \(error.message)\nmillrace: see `millrace help`\n")
        }
    }

    private static func runLog(_ arguments: inout Arguments) throws(UsageError) -> ExitCode {
        switch arguments.next(of: ["topics", "groups", "describe", "dump", "user"]) {
        case "topics": try LogTopicsCommand(&arguments).run()
        case "groups": try LogGroupsCommand(&arguments).run()
        case "describe": try LogDescribeCommand(&arguments).run()
        case "dump": try LogDumpCommand(&arguments).run()
        case "user": try LogUserCommand(&arguments).run()
        default: try LogCommand(&arguments).run()
        }
    }

    static func finish(_ code: ExitCode, _ message: String = "") -> Never {
        if !message.isEmpty { FileHandle.standardError.write(Data(message.utf8)) }
        exit(code.rawValue)
    }
}
