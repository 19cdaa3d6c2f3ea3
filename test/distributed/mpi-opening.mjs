/**
 * What opening MPI does to the process, which has other threads: `node mpi-opening.mjs main|worker all|LIBRARY` opens
 * that library on its main thread or on another one, or all that there are, as `hmatrix doctor` does.
 */
import { openSync, readFileSync, readSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';
import { describeMpi } from '#hmatrix/distributed/describe-mpi.js';
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { loadKoffi } from '#hmatrix/native/koffi.js';

/** Functions of the C library that change what memory the process maps. */
const NAMES = ['brk', 'sbrk', 'mmap', 'munmap', 'mremap', 'madvise'];
/** More than a jump to other code takes. */
const BYTES = 32;

/** What those functions begin with. */
function readCode() {
  const koffi = loadKoffi();
  const library = koffi.load(null);
  const memory = openSync('/proc/self/mem');
  return NAMES.map((name) => {
    const code = Buffer.alloc(BYTES);
    readSync(memory, code, 0, BYTES, BigInt(koffi.address(library.symbol(name, 'char'))));
    return code.toString('hex');
  });
}

/** What a module gets that reads beyond its memory: (func (param i32) (result i32) local.get 0 i32.load). */
function leaveMemory() {
  const type = [1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f];
  const body = [10, 9, 1, 7, 0, 0x20, 0, 0x28, 2, 0, 0x0b];
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, ...type, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 97, 0, 0, ...body];
  const { a: read } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports;
  try {
    return String(read(0x7ffffff0));
  } catch (error) {
    return error.name;
  }
}

/** Whether the first signal, SIGHUP, has a handler. */
const catchesHangup = () => /^SigCgt:.*[13579bdf]$/m.test(readFileSync('/proc/self/status', 'latin1'));

const [where, library] = process.argv.slice(2);
if (isMainThread && where === 'worker') new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
else {
  const before = readCode();
  const world = library === 'all' ? describeMpi() : await openMpi({ library });
  const after = readCode();
  const patched = NAMES.filter((_, k) => after[k] !== before[k]);
  const ucx = readFileSync('/proc/self/maps', 'latin1').includes('libucs.so');
  process.stdout.write(JSON.stringify({ ucx, patched, beyond: leaveMemory(), hangup: catchesHangup() }));
  world.close?.();
}
