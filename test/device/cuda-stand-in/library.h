// What libraries that stand for CUDA's need of the driver's that stands beside them: calls are written down there,
// memory of the card and streams are its.
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

typedef int (*Run)(const void*, unsigned, unsigned);

namespace {
void* driver(const char* name) {
  static void* library = [] {
    Dl_info info;
    dladdr((void*)&driver, &info);
    const std::string path = info.dli_fname;
    return dlopen((path.substr(0, path.rfind('/')) + "/libcuda.so.1").c_str(), RTLD_NOW);
  }();
  return dlsym(library, name);
}
// A call of that name: 0, or the status that it should fail with.
int call(const std::string& name, const std::string& detail) {
  static const auto of = (int (*)(const char*, const char*))driver("standInCall");
  return of(name.c_str(), detail.c_str());
}
bool within(const void* at, size_t bytes) {
  static const auto of = (bool (*)(uint64_t, size_t))driver("standInWithin");
  return of((uint64_t)at, bytes);
}
// Work in a stream; `apart` is refused by one that records. Whether it was taken.
bool launch(void* stream, Run run, const void* given, unsigned bytes, bool apart) {
  static const auto of = (int (*)(void*, Run, const void*, unsigned, bool))driver("standInLaunch");
  return of(stream, run, given, bytes, apart) == 0;
}
}
