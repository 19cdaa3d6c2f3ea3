/**
 * Which Gram vectors m_i(u, u′) = ⟨Δ_{ℓ,i}(:, p), Δ_{ℓ′,i}(:, p′)⟩ of units u = (ℓ, p), u′ = (ℓ′, p′) are stored, and
 * in what form. After C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184, §3, but never with their r ×
 * d_ℓ matrices Δ_{ℓ,i}: with Q̃_i = diag(σ_i) − ν_iν_iᵀ the Hessian of the loss at z_L
 * (network/losses/output-hessian.ts) and E_{ℓ→k,i} = ∂z_k/∂z_ℓ, d_k × d_ℓ, the d_k × d_ℓ matrices of Gram vectors are
 *   T_{L,L} = Q̃_i,   T_{k,ℓ} = T_{k,ℓ+1}·W_{ℓ+1}·diag φ′(z_ℓ)  for ℓ < k,   T_{k,ℓ} = T_{b,k}ᵀ·E_{ℓ→b}  for any layer
 *   b ≥ ℓ.
 * So a pair of layers is *closed* (a few products of vectors of its two units: the last two layers), a *table* of
 * T_{k,ℓ}, or *factored* through the narrowest layer b above ℓ: d_b(d_k + d_ℓ) numbers a sample instead of d_k·d_ℓ. A
 * bottleneck, or an output layer of few units, makes the latter small.
 */
import { hasUnitSlope } from '../../network/activations/table.js';
import { lossOf, squaredScale, type LossName } from '../../network/losses/table.js';
import type { Network } from '../../network/network.js';

/** How the Gram vectors of two layers are had; `through` is b. */
export type PairForm =
  { readonly kind: 'closed' } | { readonly kind: 'table' } | { readonly kind: 'factored'; readonly through: number };

/**
 * T_{upper,lower} (kind T) or E_{lower→upper} (kind E), upper > lower, or T with upper = lower, stored as its upper
 * triangle.
 */
export interface GramArray {
  readonly kind: 'T' | 'E';
  readonly lower: number;
  readonly upper: number;
}

/** The form of each pair of layers, and the arrays that these need. */
export interface GramVectorPlan {
  /** By `pairIndex`. */
  readonly pairs: readonly PairForm[];
  readonly arrays: readonly GramArray[];
  /** Numbers stored per sample: inputs, slopes, what the output layer needs, and the arrays. */
  readonly numbers: number;
}

/** Number of the pair of layers ℓ ≤ k. */
export const pairIndex = (ℓ: number, k: number): number => ℓ + (k * (k + 1)) / 2;
/** Tells the arrays of a plan apart. */
export const gramKey = ({ kind, lower, upper }: GramArray): string => `${kind}${lower},${upper}`;

/** Numbers per sample of an array. */
export function gramNumbers(network: Network, { lower, upper }: GramArray): number {
  const d = network.layers[lower].outputs;
  return lower === upper ? (d * (d + 1)) / 2 : d * network.layers[upper].outputs;
}

/**
 * The layer b > ℓ through which the pair ℓ ≤ k is smallest when factored, and its numbers a sample. b = k would be the
 * table itself.
 */
function bestThrough(network: Network, ℓ: number, k: number): { through: number; numbers: number } {
  let through = -1;
  for (let b = ℓ + 1; b < network.layers.length; b++) {
    if (b !== k && (through < 0 || network.layers[b].outputs < network.layers[through].outputs)) through = b;
  }
  const numbers =
    through < 0 ? Infinity : network.layers[through].outputs * (network.layers[ℓ].outputs + network.layers[k].outputs);
  return { through, numbers };
}

/**
 * The forms of all pairs of layers: with `compact`, whichever takes less memory for each, else tables wherever there is
 * no closed form (the faster one: entries then read Gram vectors where they lie).
 */
export function planGramVectors(network: Network, loss: LossName, compact: boolean): GramVectorPlan {
  const count = network.layers.length;
  const last = count - 1;
  const uniform = isUniform(network, loss);
  const pairs: PairForm[] = [];
  const arrays = new Map<string, GramArray>();
  const keep = (array: GramArray): void => {
    arrays.set(gramKey(array), array);
  };
  for (let k = 0; k < count; k++) {
    for (let ℓ = 0; ℓ <= k; ℓ++) {
      const closed = (k === last && ℓ >= last - 1) || (uniform && k === last - 1 && ℓ === k);
      const table: GramArray = { kind: 'T', lower: ℓ, upper: k };
      const best = bestThrough(network, ℓ, k);
      if (closed) {
        pairs[pairIndex(ℓ, k)] = { kind: 'closed' };
      } else if (compact && best.numbers < gramNumbers(network, table)) {
        const b = best.through;
        pairs[pairIndex(ℓ, k)] = { kind: 'factored', through: b };
        keep({ kind: 'E', lower: ℓ, upper: b });
        keep({ kind: 'T', lower: Math.min(b, k), upper: Math.max(b, k) });
      } else {
        pairs[pairIndex(ℓ, k)] = { kind: 'table' };
        keep(table);
      }
    }
  }
  let numbers = 0;
  for (const layer of network.layers) numbers += layer.width;
  for (let ℓ = 0; ℓ < last; ℓ++) numbers += network.layers[ℓ].outputs;
  if (!uniform) numbers += network.outputs;
  if (lossOf(loss).softmax) numbers += network.outputs + (last > 0 ? network.layers[last - 1].outputs : 0);
  for (const array of arrays.values()) numbers += gramNumbers(network, array);
  return { pairs, arrays: [...arrays.values()], numbers };
}

/** Whether σ is one number for all outputs and samples, and ν = 0: squared errors of linear outputs. */
export function isUniform(network: Network, loss: LossName): boolean {
  return (
    squaredScale(loss, network.outputs) !== null && hasUnitSlope(network.layers[network.layers.length - 1].activation)
  );
}

/** The arrays kept, and those that the recursion passes through on the way to them. */
export function gramClosure(
  network: Network,
  loss: LossName,
  kept: readonly GramArray[],
): ReadonlyMap<string, GramArray> {
  const last = network.layers.length - 1;
  const uniform = isUniform(network, loss);
  const needed = new Map<string, GramArray>();
  const visit = (array: GramArray): void => {
    const key = gramKey(array);
    if (needed.has(key)) return;
    needed.set(key, array);
    const { kind, lower, upper } = array;
    if (kind === 'E') {
      if (lower < upper - 1) visit({ kind, lower: lower + 1, upper });
    } else if (lower === upper) {
      if (!(uniform && lower === last - 1)) visit({ kind, lower, upper: upper + 1 });
    } else if (upper === last) {
      if (lower < last - 1) visit({ kind, lower: lower + 1, upper });
    } else {
      visit({ kind, lower: lower + 1, upper });
    }
  };
  kept.forEach(visit);
  return needed;
}
