// libcurl's variadic calls, which Swift cannot import.
#include "CShims.h"
#include <curl/curl.h>

int millrace_curl_set_number(void *handle, int option, long value) { return curl_easy_setopt(handle, (CURLoption)option, value); }

int millrace_curl_set_size(void *handle, int option, int64_t value) {
    return curl_easy_setopt(handle, (CURLoption)option, (curl_off_t)value);
}

int millrace_curl_set_text(void *handle, int option, const char *value) { return curl_easy_setopt(handle, (CURLoption)option, value); }

int millrace_curl_set_pointer(void *handle, int option, void *value) { return curl_easy_setopt(handle, (CURLoption)option, value); }

int millrace_curl_set_transfer(void *handle, int option, millrace_curl_transfer function) {
    return curl_easy_setopt(handle, (CURLoption)option, function);
}

int millrace_curl_status(void *handle) {
    long status = 0;
    return curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? (int)status : 0;
}
