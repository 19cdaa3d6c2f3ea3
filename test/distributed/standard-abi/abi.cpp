// Stands for a library of MPI's standard ABI in tests: its names, handles, statuses and levels (MPI 5.0, chapter 20 and
// annex A.1) over MPICH's (libmpich.so.12), by the names of its profiling interface. What has no meaning in the
// standard ends the program. Handles that are no constants have more than 32 bits, as addresses do.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

typedef intptr_t Handle;
// Of the standard, and of MPICH.
struct Status { int source, tag, error, internal[5]; };
struct Native { int low, high, source, tag, error; };

extern "C" {
int PMPI_Get_library_version(char*, int*);
int PMPI_Initialized(int*);
int PMPI_Init_thread(int*, char***, int, int*);
int PMPI_Finalize();
int PMPI_Abort(int, int);
int PMPI_Comm_rank(int, int*);
int PMPI_Comm_size(int, int*);
int PMPI_Comm_dup(int, int*);
int PMPI_Comm_split(int, int, int, int*);
int PMPI_Comm_free(int*);
int PMPI_Comm_set_errhandler(int, int);
int PMPI_Error_string(int, char*, int*);
int PMPI_Barrier(int);
int PMPI_Bcast(void*, int, int, int, int);
int PMPI_Allreduce(const void*, void*, int, int, int, int);
int PMPI_Allgatherv(const void*, int, int, void*, const int*, const int*, int, int);
int PMPI_Gatherv(const void*, int, int, void*, const int*, const int*, int, int, int);
int PMPI_Send(const void*, int, int, int, int, int);
int PMPI_Recv(void*, int, int, int, int, int, Native*);
int PMPI_Isend(const void*, int, int, int, int, int, int*);
int PMPI_Irecv(void*, int, int, int, int, int, int*);
int PMPI_Iallreduce(const void*, void*, int, int, int, int, int*);
int PMPI_Testall(int, int*, int*, Native*);
int PMPI_Waitall(int, int*, Native*);
int PMPI_Get_count(const Native*, int, int*);
}

namespace {
typedef const std::map<Handle, int> Constants;
// MPI_COMM_NULL, WORLD and SELF.
Constants COMMUNICATORS = {{0x100, 0x04000000}, {0x101, 0x44000000}, {0x102, 0x44000001}};
Constants REQUESTS = {{0x180, 0x2c000000}};
// MPI_ERRORS_ARE_FATAL, ABORT and RETURN.
Constants HANDLERS = {{0x141, 0x54000000}, {0x142, 0x54000003}, {0x143, 0x54000001}};
// MPI_FLOAT, DOUBLE, INT8_T, UINT8_T, INT16_T, UINT16_T, INT32_T, UINT32_T, INT64_T and UINT64_T.
Constants TYPES = {
  {0x210, 0x4c00040a}, {0x214, 0x4c00080b}, {0x240, 0x4c000137}, {0x241, 0x4c00013b}, {0x248, 0x4c000238},
  {0x249, 0x4c00023c}, {0x250, 0x4c000439}, {0x251, 0x4c00043d}, {0x258, 0x4c00083a}, {0x259, 0x4c00083e}};
// MPI_SUM, MIN, MAX and PROD.
Constants OPERATIONS = {{0x21, 0x58000003}, {0x22, 0x58000002}, {0x23, 0x58000001}, {0x24, 0x58000004}};
// MPI_THREAD_SINGLE, FUNNELED, SERIALIZED and MULTIPLE.
Constants LEVELS = {{0, 0}, {1024, 1}, {2048, 2}, {4096, 3}};

const Handle MADE = 0x5ab1ll << 32;

int native(Constants& constants, Handle handle) {
  auto found = constants.find(handle);
  if (found != constants.end()) return found->second;
  if ((&constants == &COMMUNICATORS || &constants == &REQUESTS) && handle >> 32 == MADE >> 32) return (int)handle;
  std::fprintf(stderr, "0x%llx means nothing in the standard ABI\n", (unsigned long long)handle);
  std::abort();
}
Handle standard(Constants& constants, int handle) {
  for (auto [constant, value] : constants) if (value == handle) return constant;
  return MADE | (uint32_t)handle;
}
int comm(Handle handle) { return native(COMMUNICATORS, handle); }
int type(Handle handle) { return native(TYPES, handle); }
int operation(Handle handle) { return native(OPERATIONS, handle); }
// MPI_IN_PLACE.
const void* from(const void* data) { return data == (void*)1 ? (void*)-1 : data; }

Status standard(const Native& status) {
  return {status.source, status.tag, status.error, {status.low, status.high}};
}
Native native(const Status& status) {
  return {status.internal[0], status.internal[1], status.source, status.tag, status.error};
}

// Calls `act` with MPICH's handles and statuses; both are handed back.
template <class Act> int all(int count, Handle* requests, Status* statuses, Act act) {
  std::vector<int> handles;
  std::vector<Native> natives;
  for (int k = 0; k < count; k++) {
    handles.push_back(native(REQUESTS, requests[k]));
    natives.push_back(native(statuses[k]));
  }
  int code = act(handles.data(), natives.data());
  for (int k = 0; k < count; k++) {
    requests[k] = standard(REQUESTS, handles[k]);
    statuses[k] = standard(natives[k]);
  }
  return code;
}
// Calls `act` with the place of a handle of MPICH's.
template <class Act> int make(Constants& constants, Handle* made, Act act) {
  int handle;
  int code = act(&handle);
  if (code == 0) *made = standard(constants, handle);
  return code;
}
}

#define EXPORT extern "C" __attribute__((visibility("default"))) int

EXPORT MPI_Abi_get_version(int* major, int* minor) { *major = 1; *minor = 0; return 0; }
EXPORT MPI_Get_library_version(char* text, int* length) { return PMPI_Get_library_version(text, length); }
EXPORT MPI_Initialized(int* flag) { return PMPI_Initialized(flag); }
EXPORT MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  int code = PMPI_Init_thread(argc, argv, native(LEVELS, required), provided);
  *provided = (int)standard(LEVELS, *provided);
  return code;
}
EXPORT MPI_Finalize() { return PMPI_Finalize(); }
EXPORT MPI_Abort(Handle c, int status) { return PMPI_Abort(comm(c), status); }
EXPORT MPI_Comm_rank(Handle c, int* rank) { return PMPI_Comm_rank(comm(c), rank); }
EXPORT MPI_Comm_size(Handle c, int* size) { return PMPI_Comm_size(comm(c), size); }
EXPORT MPI_Comm_dup(Handle c, Handle* made) {
  return make(COMMUNICATORS, made, [&](int* handle) { return PMPI_Comm_dup(comm(c), handle); });
}
EXPORT MPI_Comm_split(Handle c, int color, int key, Handle* made) {
  return make(COMMUNICATORS, made, [&](int* handle) { return PMPI_Comm_split(comm(c), color, key, handle); });
}
EXPORT MPI_Comm_free(Handle* c) {
  int handle = comm(*c);
  return make(COMMUNICATORS, c, [&](int* made) { *made = handle; return PMPI_Comm_free(made); });
}
EXPORT MPI_Comm_set_errhandler(Handle c, Handle handler) {
  return PMPI_Comm_set_errhandler(comm(c), native(HANDLERS, handler));
}
EXPORT MPI_Error_string(int code, char* text, int* length) { return PMPI_Error_string(code, text, length); }
EXPORT MPI_Barrier(Handle c) { return PMPI_Barrier(comm(c)); }
EXPORT MPI_Bcast(void* data, int count, Handle t, int root, Handle c) {
  return PMPI_Bcast(data, count, type(t), root, comm(c));
}
EXPORT MPI_Allreduce(const void* own, void* data, int count, Handle t, Handle op, Handle c) {
  return PMPI_Allreduce(from(own), data, count, type(t), operation(op), comm(c));
}
EXPORT MPI_Allgatherv(
  const void* own, int count, Handle t, void* data, const int* counts, const int* offsets, Handle u, Handle c) {
  return PMPI_Allgatherv(from(own), count, type(t), data, counts, offsets, type(u), comm(c));
}
EXPORT MPI_Gatherv(const void* own, int count, Handle t, void* data, const int* counts, const int* offsets, Handle u,
  int root, Handle c) {
  return PMPI_Gatherv(from(own), count, type(t), data, counts, offsets, type(u), root, comm(c));
}
EXPORT MPI_Send(const void* data, int count, Handle t, int to, int tag, Handle c) {
  return PMPI_Send(data, count, type(t), to, tag, comm(c));
}
EXPORT MPI_Recv(void* data, int count, Handle t, int source, int tag, Handle c, Status* status) {
  Native found = native(*status);
  int code = PMPI_Recv(data, count, type(t), source, tag, comm(c), &found);
  *status = standard(found);
  return code;
}
EXPORT MPI_Isend(const void* data, int count, Handle t, int to, int tag, Handle c, Handle* request) {
  return make(REQUESTS, request, [&](int* made) { return PMPI_Isend(data, count, type(t), to, tag, comm(c), made); });
}
EXPORT MPI_Irecv(void* data, int count, Handle t, int source, int tag, Handle c, Handle* request) {
  return make(
    REQUESTS, request, [&](int* made) { return PMPI_Irecv(data, count, type(t), source, tag, comm(c), made); });
}
EXPORT MPI_Iallreduce(const void* own, void* data, int count, Handle t, Handle op, Handle c, Handle* request) {
  return make(REQUESTS, request, [&](int* made) {
    return PMPI_Iallreduce(from(own), data, count, type(t), operation(op), comm(c), made);
  });
}
EXPORT MPI_Testall(int count, Handle* requests, int* flag, Status* statuses) {
  return all(count, requests, statuses, [&](int* handles, Native* natives) {
    return PMPI_Testall(count, handles, flag, natives);
  });
}
EXPORT MPI_Waitall(int count, Handle* requests, Status* statuses) {
  return all(count, requests, statuses, [&](int* handles, Native* natives) {
    return PMPI_Waitall(count, handles, natives);
  });
}
EXPORT MPI_Get_count(const Status* status, Handle t, int* count) {
  Native found = native(*status);
  return PMPI_Get_count(&found, type(t), count);
}
