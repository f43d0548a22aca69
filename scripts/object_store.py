"""An object store as fast as the machine allows: enough of S3's protocol over files of a directory, signatures not looked at.

For measurements. `python object_store.py DIRECTORY` prints its port and ends with its standard input. `GET /__bytes` says how many bytes of objects it has sent.
"""
import http.server
import os
import pathlib
import shutil
import sys
import threading
import urllib.parse
import uuid
import xml.sax.saxutils

ROOT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SENT = [0]
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Whole answers at once, and no waiting for more.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def parts(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        return ROOT / urllib.parse.unquote(url.path).lstrip("/"), query

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def receive(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        left = int(self.headers.get("Content-Length") or 0)
        with open(temporary, "wb") as file:
            while left:
                piece = self.rfile.read(min(left, 1 << 20))
                file.write(piece)
                left -= len(piece)
        os.replace(temporary, path)

    def do_PUT(self):
        path, query = self.parts()
        if "uploadId" in query:
            path = ROOT / ".uploads" / query["uploadId"] / f"{int(query['partNumber']):05}"
        self.receive(path)
        self.answer(200, headers=[("ETag", f'"{uuid.uuid4().hex}"')])

    def do_POST(self):
        path, query = self.parts()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploads" in query:
            return self.answer(200, f"<InitiateMultipartUploadResult><UploadId>{uuid.uuid4().hex}</UploadId></InitiateMultipartUploadResult>".encode())
        directory = ROOT / ".uploads" / query["uploadId"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(directory / "whole", "wb") as whole:
            for part in sorted(p for p in directory.iterdir() if p.name != "whole"):
                with open(part, "rb") as file:
                    shutil.copyfileobj(file, whole, 1 << 20)
        os.replace(directory / "whole", path)
        shutil.rmtree(directory)
        self.answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def do_DELETE(self):
        path, query = self.parts()
        if "uploadId" in query:
            shutil.rmtree(ROOT / ".uploads" / query["uploadId"], ignore_errors=True)
        else:
            # Of a "directory" there are only the objects below.
            if not path.is_dir():
                path.unlink(missing_ok=True)
        self.answer(204)

    def do_GET(self):
        if self.path == "/__bytes":
            return self.answer(200, str(SENT[0]).encode())
        path, query = self.parts()
        if "list-type" in query:
            return self.list(path, query.get("prefix", ""))
        try:
            file = open(path, "rb")
        except (FileNotFoundError, IsADirectoryError):
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        with file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(file)
        with LOCK:
            SENT[0] += size

    def list(self, bucket, prefix):
        above = bucket / prefix.rpartition("/")[0]
        found = []
        for directory, _, names in os.walk(above):
            for name in names:
                file = pathlib.Path(directory) / name
                key = str(file.relative_to(bucket))
                if key.startswith(prefix) and not name.startswith("."):
                    found.append((key, file.stat()))
        entries = "".join(
            f"<Contents><Key>{xml.sax.saxutils.escape(key)}</Key><Size>{status.st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for key, status in sorted(found))
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients are killed: that is what is measured."""


def main():
    server = Server(("127.0.0.1", 0), Handler)
    # Ends with whoever holds the other end of its standard input.
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
