/**
 * A static graph of primitives under construction. Shapes are checked once, here; a node that is asked for twice is
 * made once, so that what a function, its derivative and its product with curvature share is computed once.
 */
import { ShapeError } from '../core/errors.js';
import type { Attributes, LeafKind, Node } from './node.js';
import { sameShape, shapeText, type Shape } from './shape.js';

/** The nodes of one graph, in an order in which they can be computed. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly #known = new Map<string, Node>();
  readonly #scopes: string[] = [];

  /** Names what `make` adds after `scope`, for messages: "block2/conv1". */
  within<T>(scope: string, make: () => T): T {
    this.#scopes.push(scope);
    try {
      return make();
    } finally {
      this.#scopes.pop();
    }
  }

  /** Where the next node stands. */
  get place(): string {
    return this.#scopes.join('/');
  }

  /** The node of that primitive, made now or before. Throws ShapeError where an input is of another graph. */
  add(op: string, inputs: readonly Node[], attributes: Attributes, shape: Shape): Node {
    const key = `${op} ${inputs.map(({ id }) => id).join(' ')} ${JSON.stringify([attributes, shape])}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    for (const input of inputs)
      if (this.nodes[input.id] !== input)
        this.fail(op, `its input "${input.name}" is a node of another graph.`, { input: input.name });
    const { dims } = shape;
    if (dims.length === 0 || !dims.every((size) => Number.isSafeInteger(size) && size > 0))
      this.fail(op, `it would have ${dims.join(' × ')} numbers: every dimension is a whole number ≥ 1.`, { dims });
    const node: Node = { id: this.nodes.length, op, inputs, attributes, shape, name: this.#name(op) };
    this.nodes.push(node);
    this.#known.set(key, node);
    return node;
  }

  /** A leaf; `index` tells leaves of one kind apart. */
  leaf(kind: LeafKind, index: number, shape: Shape, name: string = kind): Node {
    return this.within(name, () => this.add('leaf', [], { kind, index }, shape));
  }

  /** Throws ShapeError that names the place and the primitive. */
  fail(op: string, message: string, data: Readonly<Record<string, unknown>> = {}): never {
    throw new ShapeError(`${this.#name(op)}: ${message}`, { node: this.#name(op), ...data });
  }

  /** Throws ShapeError unless all have one shape. */
  requireSame(op: string, nodes: readonly Node[]): void {
    for (const node of nodes)
      if (!sameShape(node.shape, nodes[0].shape))
        this.fail(
          op,
          `"${nodes[0].name}" is ${shapeText(nodes[0].shape)} and "${node.name}" is ${shapeText(node.shape)}: ` +
            'both must have the same shape.',
        );
  }

  #name(op: string): string {
    return [...this.#scopes, op].join('/');
  }
}
