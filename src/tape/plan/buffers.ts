/**
 * Which nodes share memory. A buffer is written by its nodes one after the other: a sum and the terms that write into
 * it, a map in place and its input, numbers under other dimensions. A node takes over the memory of another only where
 * nobody reads that one later, in this phase or when the phase runs again.
 */
import type { Node } from '../node.js';
import { primitiveOf } from '../primitives/table.js';
import { coefficientsOf } from '../primitives/sum.js';
import { numbersOf } from '../shape.js';
import type { Order } from './order.js';
import type { Place, PlanRequest, Step } from './request.js';
import type { SumChoices, SumRules } from './sum-rules.js';

/** Memory of one node or several. */
export interface Buffer {
  readonly members: Node[];
  numbers: number;
  /** Times of the first writing and the last reading. */
  first: number;
  last: number;
  /** Whether a later phase, or the caller, reads it. */
  isKept: boolean;
  place: Place | null;
}

/** What becomes of sums: which terms write into them. */
export interface Terms {
  /** The steps that compute a node and those together with it: one, or none. */
  readonly stepOf: (node: Node) => Step[];
}

/** Buffers, and how sums come about in them. */
export interface Buffers {
  readonly buffers: Buffer[];
  readonly terms: Terms;
  readonly sums: SumChoices;
}

/** The buffers of all nodes in order; null where sums cannot be added up by the request's rules. */
export function findBuffers(order: Order, request: PlanRequest): Buffers | null {
  return new BufferSearch(order, request).find();
}

class BufferSearch {
  readonly #order: Order;
  readonly #request: PlanRequest;
  readonly #of = new Map<Node, Buffer>();
  readonly #all: Buffer[] = [];
  /** Terms that write into their sum: the sum of each. */
  readonly #into = new Map<Node, Node>();
  /** The term whose memory a sum takes over. */
  readonly #base = new Map<Node, Node>();
  readonly #placed = new Map<Node, Place>();
  /** Whether sums are added up by the request's rules, where it has some. */
  #follows = true;

  constructor(order: Order, request: PlanRequest) {
    this.#order = order;
    this.#request = request;
    for (const { node, place } of request.phases.flat()) if (place !== null) this.#placed.set(node, place);
  }

  find(): Buffers | null {
    const nodes = [...this.#order.time.keys()].sort((a, b) => a.id - b.id);
    for (const node of nodes) if (node.op === 'sum') this.#findTerms(node);
    for (const node of nodes) this.#assign(node);
    if (!this.#follows) return null;
    for (const buffer of this.#all) this.#setTimes(buffer);
    return {
      buffers: this.#all,
      terms: { stepOf: (node) => this.#stepOf(node) },
      sums: { into: this.#into, base: this.#base },
    };
  }

  /** Terms with the coefficient one that only this sum reads, once, and that can add to it. */
  #findTerms(sum: Node): void {
    const { readers, phase, outputs } = this.#order;
    const coefficients = coefficientsOf(sum);
    sum.inputs.forEach((term, k) => {
      const can =
        coefficients[k] === 1 &&
        term.op !== 'sum' &&
        !outputs.has(term) &&
        readers.get(term)!.length === 1 &&
        phase.get(term) === phase.get(sum) &&
        primitiveOf(term).accumulates === true;
      if (this.#ruled(can, (rules) => rules.into.get(rules.originOf(term)) === rules.originOf(sum)))
        this.#into.set(term, sum);
    });
  }

  /** What can be, where no rule says otherwise; what a rule says and cannot be follows none. */
  #ruled(can: boolean, says: (rules: SumRules) => boolean): boolean {
    const { sums } = this.#request;
    if (sums === undefined) return can;
    const ruled = says(sums);
    if (ruled && !can) this.#follows = false;
    return ruled;
  }

  #assign(node: Node): void {
    if (this.#of.has(node)) return;
    const into = this.#into.get(node);
    if (into !== undefined) {
      this.#join(node, this.#bufferOfSum(into, node));
      return;
    }
    if (node.op === 'sum') {
      this.#bufferOfSum(node, node);
      return;
    }
    const { inPlace } = primitiveOf(node);
    const shared = node.op === 'reshape' ? node.inputs[0] : inPlace === undefined ? undefined : node.inputs[inPlace];
    if (shared !== undefined && (node.op === 'reshape' ? !this.#placed.has(node) : this.#canTakeOver(node, shared)))
      this.#join(node, this.#of.get(shared)!);
    else this.#open(node);
  }

  /** The buffer of a sum, made when its first term is met: that of a term whose time is over, or its own. */
  #bufferOfSum(sum: Node, first: Node): Buffer {
    const known = this.#of.get(sum);
    if (known !== undefined) return known;
    const coefficients = coefficientsOf(sum);
    const base = sum.inputs.find((term, k) => {
      const can =
        coefficients[k] === 1 &&
        this.#into.get(term) !== sum &&
        this.#of.has(term) &&
        term.id < first.id &&
        !this.#placed.has(sum) &&
        // Nor does the sum read this memory by another name: terms have been added to it by then.
        sum.inputs.every((other, j) => j === k || this.#of.get(other) !== this.#of.get(term)) &&
        this.#canTakeOver(first, term, sum);
      return this.#ruled(can, (rules) => rules.base.get(rules.originOf(sum)) === rules.originOf(term));
    });
    if (base !== undefined && this.#follows) {
      this.#base.set(sum, base);
      this.#join(sum, this.#of.get(base)!);
    } else this.#open(sum);
    return this.#of.get(sum)!;
  }

  /** Whether nobody but `node` (and `sum`, its sum) reads the memory of `other` from the time of `node` on. */
  #canTakeOver(node: Node, other: Node, sum: Node = node): boolean {
    const { time, phase, readers, outputs } = this.#order;
    const buffer = this.#of.get(other)!;
    if (this.#placed.has(node) || this.#placed.has(sum)) return false;
    const own = time.get(node)!;
    return buffer.members.every(
      (member) =>
        member.op !== 'leaf' &&
        !outputs.has(member) &&
        phase.get(member) === phase.get(node) &&
        this.#numbers(member) === this.#numbers(node) &&
        time.get(member)! < own &&
        readers.get(member)!.every((reader) => {
          if (reader === sum || this.#isIn(reader, buffer)) return true;
          return time.get(reader)! < own || (time.get(reader) === own && this.#isTogether(node, reader));
        }),
    );
  }

  #isIn(node: Node, buffer: Buffer): boolean {
    return this.#of.get(node) === buffer;
  }

  #isTogether(a: Node, b: Node): boolean {
    const { together } = this.#order;
    return together.get(a)?.includes(b) === true || together.get(b)?.includes(a) === true;
  }

  #numbers(node: Node): number {
    return numbersOf(node.shape, this.#request.capacity);
  }

  #open(node: Node): void {
    const leaf = node.op === 'leaf';
    const place = leaf ? this.#request.leafPlace(node) : (this.#placed.get(node) ?? null);
    const buffer: Buffer = { members: [], numbers: 0, first: Infinity, last: -1, isKept: leaf, place };
    this.#all.push(buffer);
    this.#join(node, buffer);
  }

  #join(node: Node, buffer: Buffer): void {
    buffer.members.push(node);
    buffer.numbers = Math.max(buffer.numbers, this.#numbers(node));
    this.#of.set(node, buffer);
  }

  #setTimes(buffer: Buffer): void {
    const { time, phase, readers, outputs } = this.#order;
    for (const member of buffer.members) {
      buffer.first = Math.min(buffer.first, time.get(member)!);
      buffer.last = Math.max(buffer.last, time.get(member)!);
      if (outputs.has(member)) buffer.isKept = true;
      for (const reader of readers.get(member)!) {
        buffer.last = Math.max(buffer.last, time.get(reader)!);
        if (phase.get(reader)! > phase.get(member)!) buffer.isKept = true;
      }
    }
  }

  #stepOf(node: Node): Step[] {
    if (node.op === 'reshape') return [];
    const together = this.#order.together.get(node) ?? [];
    const into = this.#into.get(node);
    if (into !== undefined) return [{ node, beta: this.#isFirst(node, into) ? 0 : 1, together }];
    if (node.op !== 'sum') return [{ node, beta: 0, together }];
    const base = this.#base.get(node);
    const coefficients = coefficientsOf(node);
    const left = node.inputs
      .map((_, k) => k)
      .filter((k) => this.#into.get(node.inputs[k]) !== node && node.inputs[k] !== base);
    if (left.length === 0) return [];
    const rest: Node = {
      ...node,
      inputs: left.map((k) => node.inputs[k]),
      attributes: { coefficients: left.map((k) => coefficients[k]) },
    };
    return [{ node: rest, beta: left.length === node.inputs.length ? 0 : 1, together }];
  }

  /** Whether a term is the first to write into its sum. */
  #isFirst(term: Node, sum: Node): boolean {
    if (this.#base.has(sum)) return false;
    return sum.inputs.every((other) => this.#into.get(other) !== sum || other.id >= term.id);
  }
}
