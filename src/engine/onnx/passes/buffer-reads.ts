// When memory is read last: a value and its views are in the same.
import type { OnnxNode } from '../onnx-graph.js';
import { VIEWS } from './in-place.js';

export class BufferReads {
  private readonly owners = new Map<string, string>();
  private readonly reads = new Map<string, { readonly node: OnnxNode; readonly at: number }[]>();

  /**
   * @param order in which the nodes are run
   * @param namesReadBy what counts of what a node reads; making a view counts for nothing
   */
  constructor(order: readonly OnnxNode[], namesReadBy: (node: OnnxNode) => readonly string[]) {
    order.forEach((node, at) => {
      const isView = VIEWS.has(node.op);
      if (isView) this.owners.set(node.outputs[0], this.ownerOf(node.inputs[0]));
      for (const name of namesReadBy(node)) {
        if (isView && name === node.inputs[0]) continue;
        const owner = this.ownerOf(name);
        const reads = this.reads.get(owner) ?? [];
        reads.push({ node, at });
        this.reads.set(owner, reads);
      }
    });
  }

  /** The value whose memory it is. */
  ownerOf(name: string): string {
    return this.owners.get(name) ?? name;
  }

  /** @param but nodes that do not count */
  lastOf(name: string, but: ReadonlySet<OnnxNode>): number {
    return this.reads.get(this.ownerOf(name))?.findLast(({ node }) => !but.has(node))?.at ?? -1;
  }
}
