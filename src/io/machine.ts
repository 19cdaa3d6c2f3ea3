/**
 * What a measurement needs to say of the machine it was taken on: kinds and sizes, no names of hosts, users or folders.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, freemem, hostname, totalmem } from 'node:os';
import { processorFlags } from '../dense/processor.js';

/** The machine of a measurement. */
export interface MachineDescription {
  /** Node's names: 'linux', 'darwin', 'win32'; 'x64', 'arm64'. */
  readonly platform: string;
  readonly architecture: string;
  /** The processor's model as the system tells it. */
  readonly processor: string;
  /** The widest vector instructions that matter to dense kernels: 'avx512', 'avx2', 'neon', … or 'unknown'. */
  readonly vectors: string;
  /** Cores this process may use. */
  readonly cores: number;
  /** Main memory. */
  readonly memoryBytes: number;
}

function vectorClass(architecture: string): string {
  const flags = processorFlags();
  if (architecture === 'arm64') return flags.has('sve') ? 'sve' : 'neon';
  if (flags.has('avx512f')) return 'avx512';
  if (flags.has('avx2')) return flags.has('fma') ? 'avx2' : 'avx2 without fma';
  if (flags.has('avx')) return 'avx';
  return flags.size > 0 ? 'sse2' : 'unknown';
}

/** This machine, as Node tells it; the vector instructions from /proc where there is one. */
export function describeMachine(): MachineDescription {
  return {
    platform: process.platform,
    architecture: process.arch,
    processor: cpus()[0]?.model.trim() || 'unknown',
    vectors: vectorClass(process.arch),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** What tells this machine from others of a run, for comparing alone: it is shown nowhere. */
export const machineName = (): string => hostname();

/** Largest resident set this process ever had, in bytes. */
export const peakMemory = (): number => process.resourceUsage().maxRSS * 1024;

/** The limit of this process, once it has been read. */
let addressSpaceLimit: number | undefined;

/**
 * What `ulimit -v` leaves of the address space; Infinity where there is no such limit, or the system does not tell.
 * Read anew each time: what the process has grows.
 */
function addressSpaceLeft(): number {
  if (addressSpaceLimit === undefined) {
    const [, soft] = /^Max address space +(\d+) /m.exec(readText('/proc/self/limits')) ?? [];
    addressSpaceLimit = soft === undefined ? Infinity : Number(soft);
  }
  if (addressSpaceLimit === Infinity) return Infinity;
  const [, used] = /^VmSize:\s+(\d+) kB/m.exec(readText('/proc/self/status')) ?? [];
  return used === undefined ? Infinity : Math.max(0, addressSpaceLimit - 1024 * Number(used));
}

/** A file of the system, or nothing. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Bytes that a control group leaves the process; Infinity where there is no such limit. */
function groupLimit(): number {
  const constrained = typeof process.constrainedMemory === 'function' ? process.constrainedMemory() : 0;
  // 0 or a huge number: no constraint.
  return constrained > 0 && constrained < 2 ** 50 ? constrained : Infinity;
}

/** Main memory, in bytes, or what a control group lets the process have of it. */
export const totalMemory = (): number => Math.min(totalmem(), groupLimit());

/**
 * Bytes the process may still use: what the system has available, what a control group leaves, what a limit on its
 * address space leaves.
 */
export function availableMemory(): number {
  const group = Math.max(0, groupLimit() - process.memoryUsage.rss());
  return Math.min(freemem(), addressSpaceLeft(), group);
}

/**
 * Makers whose GPU driver is loaded, told from the system's device nodes; finding none proves nothing on systems other
 * than Linux.
 */
export function gpuDrivers(): string[] {
  const signs = [
    ['nvidia', '/proc/driver/nvidia/version'],
    ['nvidia', '/dev/nvidiactl'],
    ['amd', '/dev/kfd'],
    ['other', '/dev/dri/renderD128'],
  ] as const;
  const found = new Set<string>(signs.filter(([, path]) => existsSync(path)).map(([maker]) => maker));
  if (found.size > 1) found.delete('other');
  return [...found];
}

/**
 * Cores for one of `processes` processes that share the machine evenly: no more than it may use, which are its own
 * where a launcher has bound each to some.
 */
export const coresOfEach = (processes: number): number =>
  Math.max(1, Math.min(availableParallelism(), Math.floor(cpus().length / processes)));
