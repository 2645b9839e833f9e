// Control in C: one thread, an epoll loop, the chunk made once and written to each socket. It takes the same commands as the
// servers in JavaScript, one line of JSON each: see harness.mjs. Linux only.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most = 65536, largest = 1 << 20 };

static int streams[most], count, queue;
static char input[largest], chunk[2 * largest];

static double microseconds(struct timeval time) { return time.tv_sec * 1e6 + time.tv_usec; }

static double used(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

static double monotonic(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event);
}

// A reader that lags makes the writer wait: this measures the cost of the loop, not a policy for slow readers.
static void writeAll(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno != EAGAIN) return;
    if (written > 0) bytes += written, length -= written;
  }
}

// `events` events in a row, in one chunk.
static void publish(const char *data, int size, int events) {
  char event[64];
  int head = sprintf(event, "event: tick\ndata: ");
  int length = sprintf(chunk, "%x\r\n", events * (head + size + 2));
  for (int index = 0; index < events; index++) {
    memcpy(chunk + length, event, head);
    memcpy(chunk + length + head, data, size);
    memcpy(chunk + length + head + size, "\n\n", 2);
    length += head + size + 2;
  }
  memcpy(chunk + length, "\r\n", 2);
  for (int index = 0; index < count; index++) writeAll(streams[index], chunk, length + 2);
}

static void serve(int fd) {
  static const char opening[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
      "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n: open\n\n\r\n";
  static const char done[] = "HTTP/1.1 204 No Content\r\n\r\n";
  ssize_t length = read(fd, input, sizeof input - 1);
  if (length <= 0) {
    for (int index = 0; index < count; index++) {
      if (streams[index] == fd) streams[index] = streams[--count];
    }
    close(fd);
    return;
  }
  input[length] = 0;
  if (strncmp(input, "GET ", 4) == 0) {
    writeAll(fd, opening, sizeof opening - 1);
    if (count < most) streams[count++] = fd;
  } else {
    char *body = strstr(input, "\r\n\r\n");
    if (body == NULL) return;
    publish(body + 4, length - (body + 4 - input), 1);
    writeAll(fd, done, sizeof done - 1);
  }
}

static int number(const char *line, const char *name) {
  char *at = strstr(line, name);
  return at == NULL ? 0 : atoi(at + strlen(name) + 2);
}

static void obey(const char *line) {
  if (strstr(line, "\"publish\"") != NULL) {
    int events = number(line, "events"), perTick = number(line, "perTick"), size = number(line, "size");
    static char data[largest];
    memset(data, 'x', sizeof data);
    double start = monotonic(), cpu = used();
    for (int sent = 0; sent < events; sent += perTick) publish(data, size, perTick);
    printf("{\"cpu\":%.0f,\"wall\":%.0f,\"events\":%d}\n", used() - cpu, monotonic() - start, events);
  } else if (strstr(line, "\"memory\"") != NULL) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file != NULL) fclose(file);
    printf("{\"heap\":0,\"rss\":%ld}\n", pages * sysconf(_SC_PAGESIZE));
  } else {
    printf("{\"cpu\":%.0f}\n", used());
  }
  fflush(stdout);
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  queue = epoll_create1(0);
  watch(listener);
  watch(STDIN_FILENO);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(queue, events, 256, -1);
    for (int index = 0; index < ready; index++) {
      int fd = events[index].data.fd;
      if (fd == STDIN_FILENO) {
        char line[4096];
        ssize_t length = read(fd, line, sizeof line - 1);
        if (length <= 0) return 0;
        line[length] = 0;
        obey(line);
      } else if (fd == listener) {
        for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          watch(client);
        }
      } else {
        serve(fd);
      }
    }
  }
}
