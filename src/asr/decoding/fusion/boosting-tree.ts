// Boosting of phrases.
import type { TokenModel } from '../lm/token-model.js';

/** How large the bonuses are. */
export interface BoostingTreeOptions {
  /** Bonus of a phrase's token. Default 1. */
  readonly contextScore?: number;
  /** Factor of the bonus from the second token on; ln(place) is added too. Default 2. */
  readonly depthScaling?: number;
  /** Score of tokens that begin no phrase. Default 0. */
  readonly unknownScore?: number;
  /** Every token gets the same bonus and the end of a phrase all of it again, as in Icefall. Default false. */
  readonly uniform?: boolean;
}

/** A phrase as tokens. */
export interface BoostedPhrase {
  /** At least one. */
  readonly tokens: readonly number[];
  /** In place of `contextScore`; 0 for none. */
  readonly score?: number;
}

interface Growing {
  readonly next: Map<number, Growing>;
  readonly depth: number;
  /** Bonus of the token that leads here, and of all that lead here. */
  bonus: number;
  total: number;
  ends: boolean;
  fail: Growing;
}

export interface BoostingState {
  readonly arcs: Map<number, { score: number; state: BoostingState }>;
  /** Where tokens that go on with nothing here are looked for, at what cost; the root has none. */
  fail: { readonly state: BoostingState; readonly cost: number } | undefined;
}

/**
 * A tree of phrases whose tokens are made likelier (NeMo's GPUBoostingTreeModel; the tree is Icefall's context
 * graph, an Aho-Corasick automaton). A token that goes on with a phrase gets a bonus, and one that breaks a phrase
 * off loses what it got, unless a shorter phrase ended there. Tokens of phrases come from phrases.ts.
 */
export class BoostingTree implements TokenModel<BoostingState> {
  private readonly root: BoostingState;
  private readonly unknown: { readonly score: number; readonly state: BoostingState };

  constructor(phrases: readonly BoostedPhrase[], options: BoostingTreeOptions = {}) {
    const { uniform = false, unknownScore = 0 } = options;
    this.root = automaton(grow(phrases, options), uniform);
    this.unknown = { score: unknownScore, state: this.root };
  }

  start(): BoostingState {
    return this.root;
  }

  next(state: BoostingState, token: number): { readonly score: number; readonly state: BoostingState } {
    let cost = 0;
    for (let at = state; ; ) {
      const nextState = at.arcs.get(token) ?? (at.fail ? undefined : this.unknown);
      if (nextState)
        return cost === 0 ? nextState : { score: nextState.score + cost, state: nextState.state };
      const fail = at.fail as NonNullable<BoostingState['fail']>;
      cost += fail.cost;
      at = fail.state;
    }
  }

  /** A phrase that is begun when the recording ends keeps its bonus. */
  end(): number {
    return 0;
  }
}

function grow(phrases: readonly BoostedPhrase[], options: BoostingTreeOptions): Growing {
  const { contextScore = 1, depthScaling = 2, uniform = false } = options;
  const root = { next: new Map(), depth: 0, bonus: 0, total: 0, ends: false } as unknown as Growing;
  root.fail = root;
  for (const { tokens, score = 0 } of phrases) {
    const ownScore = score === 0 ? contextScore : score;
    let at = root;
    tokens.forEach((token, i) => {
      let node = at.next.get(token);
      if (node) node.bonus = Math.max(ownScore, node.bonus);
      else {
        const bonus = i > 0 && !uniform ? ownScore * depthScaling + Math.log(i + 1) : ownScore;
        node = { next: new Map(), depth: i + 1, bonus, total: 0, ends: false, fail: root };
        at.next.set(token, node);
      }
      node.total = at.total + node.bonus;
      node.ends ||= i === tokens.length - 1;
      at = node;
    });
  }
  return root;
}

/** Breadth first, so that the shorter node that a node falls back to is done. */
function automaton(root: Growing, uniform: boolean): BoostingState {
  const states = new Map<Growing, BoostingState>([[root, { arcs: new Map(), fail: undefined }]]);
  const queue = [root];
  for (const from of queue) {
    for (const [token, node] of from.next) {
      node.fail = from === root ? root : longestSuffix(from.fail, token, root);
      // The end of a phrase keeps its bonus, unless all bonuses are alike.
      const keeps = node.ends && !(uniform && node.depth > 1);
      const cost = keeps ? 0 : node.fail.total - node.total;
      const state = { arcs: new Map(), fail: { state: states.get(node.fail) as BoostingState, cost } };
      states.set(node, state);
      const again = uniform && node.ends && node.depth > 1 ? node.total : 0;
      states.get(from)?.arcs.set(token, { score: node.bonus + again, state });
      queue.push(node);
    }
  }
  return states.get(root) as BoostingState;
}

function longestSuffix(from: Growing, token: number, root: Growing): Growing {
  for (let at = from; ; at = at.fail) {
    const next = at.next.get(token);
    if (next) return next;
    if (at === root) return root;
  }
}
