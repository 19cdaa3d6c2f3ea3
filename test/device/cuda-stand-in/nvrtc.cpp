// Stands for NVRTC in tests: kernels are compiled by g++ for this processor, behind prelude.h, and kept by the hash of
// what is compiled. The "code" is the path of a shared library.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {
struct Program { std::string source, name, log, image; };
int version[2] = {12, 8};
std::vector<int> architectures = {75, 80, 86, 89, 90};
std::map<std::string, int> compiled;

std::string folder() {
  Dl_info info;
  dladdr((void*)&folder, &info);
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/'));
}
std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
unsigned long long hashOf(const std::string& text) {
  unsigned long long hash = 14695981039346656037ull;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  return hash;
}
// Of every kernel a function that the driver can run it by.
std::string entriesOf(const std::string& source) {
  std::string entries;
  const std::string end = "p) {";
  for (size_t at = source.find(end); at != std::string::npos; at = source.find(end, at + 1)) {
    const size_t open = source.rfind("(const ", at), begin = source.rfind(' ', open) + 1, kind = open + 7;
    const std::string name = source.substr(begin, open - begin), type = source.substr(kind, source.rfind(' ', at) - kind);
    const std::string head = "extern \"C\" __attribute__((visibility(\"default\"))) ";
    entries += head + "int run_" + name + "(const void* p, unsigned blocks, unsigned threads) {\n"
      "  return standin::run([](const void* q) { " + name + "(*(const " + type + "*)q); }, p, blocks, threads);\n}\n" +
      head + "unsigned size_" + name + "() { return sizeof(" + type + "); }\n";
  }
  return entries;
}
}

EXPORT void standInCompiler(int major, int minor, int first) {
  version[0] = major;
  version[1] = minor;
  architectures.clear();
  for (int one : {52, 70, 75, 80, 86, 89, 90, 100}) if (one >= first) architectures.push_back(one);
}
EXPORT int standInCompiled(const char* name) { return compiled[name]; }

EXPORT const char* nvrtcGetErrorString(int status) { return status == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR"; }
EXPORT int nvrtcVersion(int* major, int* minor) {
  *major = version[0];
  *minor = version[1];
  return 0;
}
EXPORT int nvrtcGetNumSupportedArchs(int* count) { *count = architectures.size(); return 0; }
EXPORT int nvrtcGetSupportedArchs(int* list) {
  for (size_t i = 0; i < architectures.size(); i++) list[i] = architectures[i];
  return 0;
}
EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers, void*, void*) {
  if (headers != 0) return 3;
  *program = new Program{source, name, "", ""};
  return 0;
}
EXPORT int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}
EXPORT int nvrtcCompileProgram(Program* program, int count, const char** options) {
  bool own = false;
  for (int i = 0; i < count; i++) {
    int architecture;
    char kind[16];
    if (sscanf(options[i], "--gpu-architecture=%15[a-z]_%d", kind, &architecture) != 2) continue;
    own = strcmp(kind, "sm") == 0;
    bool known = false;
    for (int one : architectures) known = known || one == architecture;
    if (!known) { program->log = "invalid value for --gpu-architecture"; return 5; }
  }
  compiled[program->name]++;
  const std::string text = program->source + entriesOf(program->source);
  const std::string prelude = folder() + "/prelude.h";
  char stem[64];
  snprintf(stem, sizeof stem, "/kernel-%016llx", hashOf(read(prelude) + text));
  const std::string path = folder() + stem + ".so";
  if (access(path.c_str(), R_OK) != 0) {
    const std::string own = folder() + stem + "-" + std::to_string(getpid());
    { std::ofstream file(own + ".cpp"); file << text; }
    const std::string command = "g++ -O1 -std=c++14 -w -shared -fPIC -fvisibility=hidden -include '" + prelude +
      "' -o '" + own + ".so' '" + own + ".cpp' >'" + own + ".log' 2>&1";
    const int status = system(command.c_str());
    program->log = read(own + ".log");
    unlink((own + ".cpp").c_str());
    unlink((own + ".log").c_str());
    if (status != 0) return 6;
    rename((own + ".so").c_str(), path.c_str());
  }
  program->image = (own ? "cubin " : "ptx ") + path;
  return 0;
}
EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* size) { *size = program->log.size() + 1; return 0; }
EXPORT int nvrtcGetProgramLog(Program* program, char* log) { strcpy(log, program->log.c_str()); return 0; }
static int sizeOf(Program* program, size_t* size, const char* kind) {
  const bool fits = program->image.rfind(kind, 0) == 0;
  *size = fits ? program->image.size() + 1 : 0;
  return fits ? 0 : 4;
}
static int copyOf(Program* program, char* to) { strcpy(to, program->image.c_str()); return 0; }
EXPORT int nvrtcGetCUBINSize(Program* program, size_t* size) { return sizeOf(program, size, "cubin "); }
EXPORT int nvrtcGetCUBIN(Program* program, char* to) { return copyOf(program, to); }
EXPORT int nvrtcGetPTXSize(Program* program, size_t* size) { return sizeOf(program, size, "ptx "); }
EXPORT int nvrtcGetPTX(Program* program, char* to) { return copyOf(program, to); }
