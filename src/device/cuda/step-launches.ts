/**
 * Launches of steps whose lists lie on the device.
 */
import type { Precision } from '../../core/floats.js';
import type { Arithmetic } from '../device.js';
import type { Places } from './gemms.js';
import type { CudaHost } from './host.js';
import { OUTCOME, type FactorStep } from './kernels/factors.js';
import type { GemmStep } from './kernels/gemms.js';
import { MOST, type Step } from './kernels/step.js';
import type { KernelLaunch, Launch } from './launches.js';

/** What a step is launched with. */
export interface StepOperands {
  readonly precision: Precision;
  readonly arithmetic?: Arithmetic | undefined;
  /** Addresses of operands by name. */
  readonly addresses: Readonly<Record<string, number>>;
  readonly width: number;
  /** Where its lists lie, and the memory that they lie in. */
  readonly lists: readonly number[];
  readonly memory: number;
}

/** The launch of a step by a kernel. */
export function kernelLaunch(
  host: CudaHost,
  step: Step,
  { precision, addresses, width, lists, memory }: StepOperands,
): KernelLaunch {
  const { handle, threads } = host.kernel(step.kernel(precision, width));
  const operands = step.operands.map((name) => addresses[name]);
  const parameters = new BigInt64Array(MOST.lists + MOST.operands + MOST.numbers + 1);
  parameters.set(lists.map(BigInt));
  parameters.set(operands.map(BigInt), MOST.lists);
  new Float64Array(parameters.buffer).set(step.numbers, MOST.lists + MOST.operands);
  parameters[parameters.length - 1] = BigInt(width);
  return { kernel: handle, blocks: step.blocks(width), threads, parameters, memory: [memory, ...operands] };
}

/** The launches of a step by cuBLAS: of the kernel that writes addresses, where it reads them, and its call. */
export function gemmLaunches(host: CudaHost, step: GemmStep, on: StepOperands): Launch[] {
  const { gemm, alpha, beta } = step;
  const { precision, arithmetic, lists, memory } = on;
  const operands = step.operands.map((name) => on.addresses[name]);
  const listed = operands.map((_, o) => lists[1] + 8 * o * gemm.offsets.length);
  const addresses = (step.addresses === undefined ? operands : listed) as unknown as Places;
  const call = host.gemm(gemm, { precision, arithmetic, addresses, alpha, beta });
  const before = step.addresses === undefined ? [] : [kernelLaunch(host, step.addresses, on)];
  return [...before, { call, apart: gemm.form === 'grouped', memory: [memory, ...operands] }];
}

/** Bytes before the memory that a factorization by cuSOLVER works in, for its outcome. */
export const OUTCOME_BYTES = 256;

/**
 * The launches of a factorization by cuSOLVER: its call, of which nobody says that graphs keep it, and its outcome. It
 * works in so many bytes at the beginning of the memory that lists lie in.
 */
export function factorLaunches(host: CudaHost, step: FactorStep, on: StepOperands, workspace: number): Launch[] {
  const { precision, addresses, memory } = on;
  const { values } = addresses;
  const room = { outcome: memory, at: memory + OUTCOME_BYTES, bytes: workspace - OUTCOME_BYTES };
  const call = host.factor(step.triangle, { precision, values, ...room });
  const after = kernelLaunch(host, step.outcome, { ...on, addresses: { ...addresses, [OUTCOME]: memory } });
  return [{ call, apart: true, memory: [memory, values] }, after];
}

/** How many launches that is. */
export const FACTOR_LAUNCHES = 2;

/** How many launches a step by cuBLAS is. */
export const gemmLaunchCount = ({ addresses }: GemmStep): number => (addresses === undefined ? 1 : 2);
