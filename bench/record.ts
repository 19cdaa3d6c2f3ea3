/**
 * Benchmark records: JSON in bench/results, with what a reader needs to judge the numbers and nothing that names a machine.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Instruction sets that decide the speed of dense kernels. */
const TELLING_FLAGS = ['sse4_2', 'avx', 'fma', 'avx2', 'avx512f', 'avx512dq', 'avx512bw', 'avx512_bf16', 'amx_tile', 'asimd', 'sve', 'sve2'];

export interface MachineFacts { readonly node: string; readonly platform: string; readonly arch: string; readonly cores: number; readonly memoryGiB: number; readonly cpuFlags: readonly string[] }

export function machineFacts(): MachineFacts {
  let flags: string[] = [];
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    const present = new Set(line.trim().split(/\s+/));
    flags = TELLING_FLAGS.filter((flag) => present.has(flag));
  } catch {
    // Only Linux tells.
  }
  return { node: process.version, platform: process.platform, arch: process.arch, cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30), cpuFlags: flags };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Four significant digits: more is noise. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

/** Writes bench/results/NAME.json: { name, machine, ...content }. Returns the path. */
export function writeRecord(name: string, content: Readonly<Record<string, unknown>>): string {
  // From dist/bench/ to bench/results/.
  const path = fileURLToPath(new URL(`../../bench/results/${name}.json`, import.meta.url));
  mkdirSync(dirname(path), { recursive: true });
  // One line for each object that holds only numbers and strings: a row of a table stays a row.
  const text = JSON.stringify({ name, machine: machineFacts(), ...content }, null, 1).replace(/\{[^{}[\]]*\}/g, (object) => object.replace(/\s*\n\s*/g, ' '));
  writeFileSync(path, `${text}\n`);
  return path;
}
