#include "CShims.h"
#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct millrace_http {
    struct MHD_Daemon *daemon;
    millrace_http_handler handler;
    void *context;
};

// The first call for a request announces its headers; the answer is due with the next, when the body, if any, has come.
// Bodies are not used by any endpoint: they are read and dropped.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state) {
    (void)version;
    (void)upload;
    struct millrace_http *http = context;
    static int seen;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    struct millrace_http_answer answer;
    memset(&answer, 0, sizeof answer);
    http->handler(http->context, method, url, authorization, &answer);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer.body_size, (void *)answer.body, MHD_RESPMEM_MUST_FREE);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", answer.content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer.status == 401) MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    enum MHD_Result result = MHD_queue_response(connection, answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static void silent(void *context, const char *format, va_list arguments) {
    (void)context;
    (void)format;
    (void)arguments;
}

struct millrace_http *millrace_http_start(const struct sockaddr *address, const char *certificate, const char *key,
                                          unsigned connections_max, unsigned idle_seconds, millrace_http_handler handler,
                                          void *context) {
    struct millrace_http *http = calloc(1, sizeof *http);
    if (!http) return NULL;
    http->handler = handler;
    http->context = context;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ERROR_LOG;
    if (address->sa_family == AF_INET6) flags |= MHD_USE_IPv6;
    if (certificate) flags |= MHD_USE_TLS;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, silent, NULL, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, connections_max, MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 << 10),
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)(512 << 10), MHD_OPTION_ARRAY, certificate ? tls : none, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return NULL;
    }
    return http;
}

int millrace_http_port(struct millrace_http *http) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : -1;
}

void millrace_http_stop(struct millrace_http *http) {
    MHD_stop_daemon(http->daemon);
    free(http);
}
