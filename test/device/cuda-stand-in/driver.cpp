// Stands for CUDA's driver in tests. Memory of the card is memory of this machine, each piece before a page that may
// not be touched; kernels (nvrtc.cpp) run when they are launched. Calls are written down and checked as far as the
// driver checks them; any can be made to fail.
#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <set>
#include <string>
#include <sys/mman.h>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

typedef uint64_t Address;
enum {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, ALREADY_REGISTERED = 712,
  NOT_REGISTERED = 713, LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901
};

namespace {
struct Function { std::string name; int (*run)(const void*, unsigned, unsigned); unsigned size; };
struct Module { void* handle; std::vector<Function*> functions; };
struct Launch { Function* function; unsigned blocks, threads; std::vector<char> parameters; };
struct Stream { bool captures, isInvalid; std::vector<Launch> captured; };
struct Event { int looks; };

std::map<std::string, long long> settings = {
  {"version", 12080}, {"architecture", 90}, {"cards", 1}, {"memory", 1ll << 32}, {"looks", 1}};
std::string calls;
struct Failure { int after, status; };
std::map<std::string, Failure> failures;
std::map<Address, size_t> memory;
std::map<Address, size_t> registered;
std::set<Stream*> streams;
std::set<Event*> events;
std::set<Module*> modules;
// Of functions of libraries.
std::map<int (*)(const void*, unsigned, unsigned), Function> libraries;
std::set<std::vector<Launch>*> graphs, executables;
size_t used;
int sticky, retained;
bool initialized;
thread_local void* currentContext;
void* const context = (void*)0xc0de;
sigjmp_buf fault;

const size_t PAGE = 4096;
size_t pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }
// Where a piece of memory begins: it ends where the forbidden page does, to 16 bytes.
size_t skipped(size_t bytes) { return pages(bytes) - (bytes + 15) / 16 * 16; }
void unmap(Address at, size_t bytes) {
  munmap((void*)(at - skipped(bytes)), pages(bytes) + PAGE);
  used -= bytes;
}
bool within(Address at, size_t bytes) {
  auto found = memory.upper_bound(at);
  if (found == memory.begin()) return false;
  --found;
  return at + bytes <= found->first + found->second;
}
bool isSticky(int status) {
  return (status >= 700 && status <= 719 && status != 712 && status != 713) || status == 214;
}

// What a stream that records may not do: what it has recorded is void.
void invalidate() {
  for (Stream* stream : streams) if (stream->captures) stream->isInvalid = true;
}
int refuse() {
  invalidate();
  return CAPTURE_UNSUPPORTED;
}
// What comes before every call: it is written down, and fails where it was told to.
int enter(const char* name, bool needsContext, const std::string& detail = "") {
  calls += std::string(name) + (detail.empty() ? "" : " " + detail) + "\n";
  const auto found = failures.find(name);
  if (found != failures.end() && found->second.after-- == 0) {
    const int status = found->second.status;
    failures.erase(found);
    if (isSticky(status)) sticky = status;
    if (status == CAPTURE_UNSUPPORTED) invalidate();
    return status;
  }
  if (sticky != 0) return sticky;
  if (!initialized) return 3;
  if (needsContext && (currentContext != context || retained == 0)) return INVALID_CONTEXT;
  return SUCCESS;
}
#define ENTER(needsContext, detail) \
  if (const int status = enter(__func__, needsContext, detail)) return status
#define REQUIRE(condition, status) if (!(condition)) return status
std::string text(unsigned long long number) { return std::to_string(number); }

void onFault(int) { siglongjmp(fault, 1); }
int execute(const Launch& launch) {
  struct sigaction ours = {}, segv, bus;
  ours.sa_handler = onFault;
  ours.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &ours, &segv);
  sigaction(SIGBUS, &ours, &bus);
  int status = ILLEGAL_ADDRESS;
  if (sigsetjmp(fault, 1) == 0)
    status = launch.function->run(launch.parameters.data(), launch.blocks, launch.threads) == 0 ? 0 : LAUNCH_FAILED;
  sigaction(SIGSEGV, &segv, nullptr);
  sigaction(SIGBUS, &bus, nullptr);
  return status;
}
// What is wrong with a kernel is told by what is called after its launch.
void executeLater(const Launch& launch) {
  if (sticky == 0) sticky = execute(launch);
}
void reset() {
  for (const auto& piece : memory) unmap(piece.first, piece.second);
  memory.clear();
  registered.clear();
  streams.clear();
  events.clear();
  modules.clear();
  graphs.clear();
  executables.clear();
  sticky = 0;
}
}

EXPORT void standInSet(const char* key, long long value) { settings[key] = value; }
EXPORT void standInFail(const char* name, int after, int status) { failures[name] = {after, status}; }
EXPORT void standInForget() { calls.clear(); failures.clear(); }
EXPORT const char* standInCalls() { return calls.c_str(); }
EXPORT long long standInLive() {
  return memory.size() + registered.size() + streams.size() + events.size() + modules.size() + graphs.size() +
    executables.size();
}

// For what stands for other libraries: a call of that name, which may fail; memory of the card; and work in a stream.
// That of a call which reads memory of this machine later is refused in a stream that records.
EXPORT int standInCall(const char* name, const char* detail) { return enter(name, true, detail); }
EXPORT bool standInWithin(Address at, size_t bytes) { return within(at, bytes); }
EXPORT int standInLaunch(Stream* stream, int (*run)(const void*, unsigned, unsigned), const void* given, unsigned bytes,
    bool apart) {
  REQUIRE(streams.count(stream) == 1, INVALID_HANDLE);
  REQUIRE(!(apart && stream->captures), refuse());
  const auto found = libraries.insert({run, Function{"", run, bytes}}).first;
  Launch launch{&found->second, 1, 1, std::vector<char>((const char*)given, (const char*)given + bytes)};
  if (stream->captures) stream->captured.push_back(launch);
  else executeLater(launch);
  return SUCCESS;
}

EXPORT int cuGetErrorName(int status, const char** to) {
  static const std::map<int, const char*> names = {
    {1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {100, "CUDA_ERROR_NO_DEVICE"},
    {200, "CUDA_ERROR_INVALID_IMAGE"}, {201, "CUDA_ERROR_INVALID_CONTEXT"}, {214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
    {400, "CUDA_ERROR_INVALID_HANDLE"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}};
  const auto found = names.find(status);
  *to = found == names.end() ? nullptr : found->second;
  return found == names.end() ? INVALID_VALUE : SUCCESS;
}
EXPORT int cuGetErrorString(int status, const char** to) {
  *to = "as the stand-in was told";
  return status == 0 ? INVALID_VALUE : SUCCESS;
}

EXPORT int cuInit(unsigned) {
  initialized = true;
  ENTER(false, "");
  return settings["cards"] > 0 ? SUCCESS : NO_DEVICE;
}
EXPORT int cuDriverGetVersion(int* to) { *to = settings["version"]; return SUCCESS; }
EXPORT int cuDeviceGetCount(int* to) { ENTER(false, ""); *to = settings["cards"]; return SUCCESS; }
EXPORT int cuDeviceGet(int* to, int ordinal) { ENTER(false, ""); *to = ordinal; return SUCCESS; }
EXPORT int cuDeviceGetName(char* to, int, int) { ENTER(false, ""); strcpy(to, "Stand-in"); return SUCCESS; }
EXPORT int cuDeviceTotalMem_v2(size_t* to, int) { ENTER(false, ""); *to = settings["memory"]; return SUCCESS; }
EXPORT int cuDeviceGetAttribute(int* to, int attribute, int) {
  ENTER(false, text(attribute));
  const int architecture = settings["architecture"];
  *to = attribute == 75 ? architecture / 10 : attribute == 76 ? architecture % 10 : attribute == 16 ? 4 : 0;
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRetain(void** to, int) {
  ENTER(false, "");
  retained++;
  *to = context;
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) {
  calls += "cuDevicePrimaryCtxRelease_v2\n";
  REQUIRE(retained > 0, INVALID_CONTEXT);
  if (--retained == 0) reset();
  return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxReset_v2(int) {
  calls += "cuDevicePrimaryCtxReset_v2\n";
  reset();
  return SUCCESS;
}
EXPORT int cuCtxSetCurrent(void* to) {
  if (sticky != 0) return sticky;
  REQUIRE(to == context && retained > 0, INVALID_CONTEXT);
  currentContext = to;
  return SUCCESS;
}

EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER(true, "");
  *total = settings["memory"];
  *free = *total - used;
  return SUCCESS;
}
EXPORT int cuMemAlloc_v2(Address* to, size_t bytes) {
  ENTER(true, text(bytes));
  REQUIRE(bytes > 0, INVALID_VALUE);
  REQUIRE(used + bytes <= (size_t)settings["memory"], OUT_OF_MEMORY);
  char* whole = (char*)mmap(nullptr, pages(bytes) + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(whole != MAP_FAILED, OUT_OF_MEMORY);
  mprotect(whole + pages(bytes), PAGE, PROT_NONE);
  *to = (Address)(whole + skipped(bytes));
  // Numbers that are none, in both precisions.
  memset((void*)*to, 0xff, bytes);
  memory[*to] = bytes;
  used += bytes;
  return SUCCESS;
}
EXPORT int cuMemFree_v2(Address at) {
  ENTER(true, "");
  const auto found = memory.find(at);
  REQUIRE(found != memory.end(), INVALID_VALUE);
  unmap(at, found->second);
  memory.erase(found);
  return SUCCESS;
}
// Pages are pinned: no two pieces of memory may share one.
EXPORT int cuMemHostRegister_v2(Address at, size_t bytes, unsigned) {
  ENTER(true, text(bytes));
  for (const auto& other : registered)
    if (at / PAGE <= (other.first + other.second - 1) / PAGE && other.first / PAGE <= (at + bytes - 1) / PAGE)
      return ALREADY_REGISTERED;
  registered[at] = bytes;
  return SUCCESS;
}
EXPORT int cuMemHostUnregister(Address at) {
  ENTER(true, "");
  return registered.erase(at) == 1 ? SUCCESS : NOT_REGISTERED;
}
#define STREAM(stream) \
  REQUIRE(streams.count(stream) == 1, INVALID_HANDLE); \
  REQUIRE(!stream->captures, refuse())
EXPORT int cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, Stream* stream) {
  ENTER(true, text(bytes));
  STREAM(stream);
  REQUIRE(within(to, bytes), INVALID_VALUE);
  memcpy((void*)to, from, bytes);
  return SUCCESS;
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, Stream* stream) {
  ENTER(true, text(bytes));
  STREAM(stream);
  REQUIRE(within(from, bytes), INVALID_VALUE);
  memcpy(to, (const void*)from, bytes);
  return SUCCESS;
}
EXPORT int cuMemsetD8Async(Address to, unsigned char value, size_t bytes, Stream* stream) {
  ENTER(true, text(bytes));
  STREAM(stream);
  REQUIRE(within(to, bytes), INVALID_VALUE);
  memset((void*)to, value, bytes);
  return SUCCESS;
}

EXPORT int cuStreamCreate(Stream** to, unsigned) {
  ENTER(true, "");
  streams.insert(*to = new Stream{});
  return SUCCESS;
}
EXPORT int cuStreamDestroy_v2(Stream* stream) {
  ENTER(true, "");
  STREAM(stream);
  streams.erase(stream);
  delete stream;
  return SUCCESS;
}
EXPORT int cuStreamSynchronize(Stream* stream) { ENTER(true, ""); STREAM(stream); return SUCCESS; }
EXPORT int cuStreamBeginCapture_v2(Stream* stream, int) {
  ENTER(true, "");
  STREAM(stream);
  stream->captures = true;
  return SUCCESS;
}
// The stream records no more then, whatever it says.
EXPORT int cuStreamEndCapture(Stream* stream, std::vector<Launch>** to) {
  const int status = enter(__func__, true);
  REQUIRE(streams.count(stream) == 1 && stream->captures, INVALID_VALUE);
  std::vector<Launch> captured;
  std::swap(captured, stream->captured);
  const bool isInvalid = stream->isInvalid;
  stream->captures = stream->isInvalid = false;
  *to = nullptr;
  REQUIRE(status == SUCCESS, status);
  REQUIRE(!isInvalid, CAPTURE_INVALIDATED);
  graphs.insert(*to = new std::vector<Launch>(captured));
  return SUCCESS;
}
EXPORT int cuEventCreate(Event** to, unsigned) { ENTER(true, ""); events.insert(*to = new Event{}); return SUCCESS; }
EXPORT int cuEventDestroy_v2(Event* event) {
  ENTER(true, "");
  REQUIRE(events.erase(event) == 1, INVALID_HANDLE);
  delete event;
  return SUCCESS;
}
EXPORT int cuEventRecord(Event* event, Stream* stream) {
  ENTER(true, "");
  STREAM(stream);
  REQUIRE(events.count(event) == 1, INVALID_HANDLE);
  event->looks = settings["looks"];
  return SUCCESS;
}
EXPORT int cuEventQuery(Event* event) {
  ENTER(true, "");
  REQUIRE(events.count(event) == 1, INVALID_HANDLE);
  return event->looks-- > 0 ? NOT_READY : SUCCESS;
}
EXPORT int cuEventSynchronize(Event* event) {
  ENTER(true, "");
  return events.count(event) == 1 ? SUCCESS : INVALID_HANDLE;
}

EXPORT int cuModuleLoadData(Module** to, const char* image) {
  const char* path = strchr(image, ' ');
  ENTER(true, path == nullptr ? "" : std::string(image, path));
  void* handle = path == nullptr ? nullptr : dlopen(path + 1, RTLD_NOW | RTLD_LOCAL);
  REQUIRE(handle != nullptr, INVALID_IMAGE);
  modules.insert(*to = new Module{handle, {}});
  return SUCCESS;
}
EXPORT int cuModuleUnload(Module* module) {
  ENTER(true, "");
  REQUIRE(modules.erase(module) == 1, INVALID_HANDLE);
  dlclose(module->handle);
  delete module;
  return SUCCESS;
}
EXPORT int cuModuleGetFunction(Function** to, Module* module, const char* name) {
  ENTER(true, name);
  REQUIRE(modules.count(module) == 1, INVALID_HANDLE);
  const std::string own = name;
  const auto run = (int (*)(const void*, unsigned, unsigned))dlsym(module->handle, ("run_" + own).c_str());
  const auto size = (unsigned (*)())dlsym(module->handle, ("size_" + own).c_str());
  REQUIRE(run != nullptr && size != nullptr, NOT_FOUND);
  module->functions.push_back(*to = new Function{own, run, size()});
  return SUCCESS;
}
EXPORT int cuLaunchKernel(Function* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threadsY,
    unsigned threadsZ, unsigned shared, Stream* stream, void**, void** extra) {
  ENTER(true, function->name + " " + text(x) + "x" + text(threads));
  REQUIRE(streams.count(stream) == 1, INVALID_HANDLE);
  REQUIRE(x > 0 && y == 1 && z == 1 && threads > 0 && threads <= 1024 && threadsY == 1 && threadsZ == 1 && shared == 0,
    INVALID_VALUE);
  REQUIRE(extra != nullptr && extra[0] == (void*)1 && extra[2] == (void*)2 && extra[4] == nullptr, INVALID_VALUE);
  const size_t bytes = *(const size_t*)extra[3];
  REQUIRE(bytes == function->size, INVALID_VALUE);
  const char* given = (const char*)extra[1];
  Launch launch{function, x, threads, std::vector<char>(given, given + bytes)};
  if (stream->captures) stream->captured.push_back(launch);
  else executeLater(launch);
  return SUCCESS;
}
EXPORT int cuGraphInstantiateWithFlags(std::vector<Launch>** to, std::vector<Launch>* graph, unsigned long long) {
  ENTER(true, text(graph->size()));
  REQUIRE(graphs.count(graph) == 1, INVALID_HANDLE);
  executables.insert(*to = new std::vector<Launch>(*graph));
  return SUCCESS;
}
EXPORT int cuGraphLaunch(std::vector<Launch>* executable, Stream* stream) {
  ENTER(true, "");
  STREAM(stream);
  REQUIRE(executables.count(executable) == 1, INVALID_HANDLE);
  for (const Launch& launch : *executable) executeLater(launch);
  return SUCCESS;
}
EXPORT int cuGraphExecDestroy(std::vector<Launch>* executable) {
  ENTER(true, "");
  REQUIRE(executables.erase(executable) == 1, INVALID_HANDLE);
  delete executable;
  return SUCCESS;
}
EXPORT int cuGraphDestroy(std::vector<Launch>* graph) {
  ENTER(true, "");
  REQUIRE(graphs.erase(graph) == 1, INVALID_HANDLE);
  delete graph;
  return SUCCESS;
}
