/**
 * UCX, which MPICH and many builds of Open MPI communicate by: what it would do to the process as it is loaded, before
 * anybody initializes MPI.
 */
import { processFunction } from '../../native/koffi.js';

/** Its variables, and the values that keep it from that. */
const RESTRAINTS: Readonly<Record<string, string>> = {
  // It watches what memory the process maps (to remember registrations of RDMA networks), by code that it patches into
  // the C library, and tries that out by moving the end of the heap up and down again: what another thread got in
  // between is unmapped, and Node's threads allocate all the time. Seen under load: 5 of 320 processes that open MPICH,
  // and one start of eight ranks in ten, end by SIGSEGV. UCX's own tests do it only where there are no other threads
  // (github.com/openucx/ucx/pull/5193).
  UCX_MEM_EVENTS: 'no',
  // Its handlers of SIGILL, SIGSEGV, SIGBUS and SIGFPE replace Node's, by which WebAssembly that leaves its memory
  // throws an error: the process would end. They allocate, too: one that fails within malloc waits for ever.
  UCX_ERROR_SIGNALS: '',
  // SIGHUP would change the level of its log, and no longer end a process whose terminal is gone.
  UCX_DEBUG_SIGNO: '0',
};

/**
 * To be called, once koffi is loaded, before a library of MPI is opened: UCX, where that brings it, then leaves memory
 * and signals of the process alone. Variables that are set stay as they are: whoever sets them decides. The others are
 * set for the process: `process.env` is a copy in workers, which no library sees.
 */
export function restrainUcx(): void {
  const set = processFunction('setenv', 'int', ['const char *', 'const char *', 'int']);
  for (const [name, value] of Object.entries(RESTRAINTS)) set?.(name, value, 0);
}
