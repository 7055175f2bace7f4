// Pools, the worst first: a failing rack is one line, healthy pools are folded.
import { byId, chevron, fold, h, opening, show, small } from "./document.js";
import { count, RANK, sign, word } from "./words.js";
import { state } from "./state.js";
import { isDown, rackRow, racks, whyDown } from "./racks.js";
import { serverList } from "./servers.js";
import { spark } from "./sparks.js";

// Servers that a pool's line names, and failing pools and racks that are not folded.
const NAMED = 2;

export function poolLevel(pool) {
  if (!pool.up || pool.sorry || (pool.servers > 0 && pool.servers_up === 0)) return "bad";
  if (pool.panic || pool.frozen || pool.servers_up < pool.servers) return "warn";
  return "good";
}

const share = (pool) => (pool.servers ? pool.servers_up / pool.servers : 1);

function sorted() {
  return (state.status.pools || []).map((pool) => ({ pool, level: poolLevel(pool) }))
    .sort((a, b) => RANK[a.level] - RANK[b.level] || share(a.pool) - share(b.pool) || (a.pool.name < b.pool.name ? -1 : 1));
}

function notes(pool, inRack) {
  const single = (pool.real_servers || []).filter((server) => isDown(server) && !inRack(server));
  return [
    !pool.up && "below its quorum",
    pool.sorry && "the sorry server answers",
    pool.panic && "panic",
    pool.frozen && "frozen by an operator",
    ...single.slice(0, NAMED).map((server) => server.name + ": " + whyDown(server)),
    single.length > NAMED && single.length - NAMED + " more",
  ].filter(Boolean).join(" · ");
}

function row({ pool, level }, inRack) {
  const key = "pool-" + pool.name;
  return h("li", { class: "row", "data-level": level === "good" ? null : level, "data-key": key, "data-pool": pool.name },
    opening(key, {}, [
      h("span", { class: "line" }, sign(level), h("span", { class: "name" }, pool.name), h("span", { class: "grow small" }, notes(pool, inRack)),
        spark("pool " + pool.name, pool.name + ": servers up over the last minutes", pool.servers),
        word(level, pool.servers_up + " of " + pool.servers + " up"), chevron()),
      bar(share(pool)),
    ], () => serverList(pool)));
}

function bar(part) {
  return h("svg", { class: "bar", viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "all", width: 100, height: 5 }), h("rect", { class: "up", width: Math.round(part * 1000) / 10, height: 5 }));
}

const list = (rows) => h("ul", { class: "rows" }, rows);

export function showPools() {
  const pools = sorted();
  const { found, has } = racks(state.status.pools || []);
  const of = (one) => row(one, has);
  const bad = pools.filter(({ level }) => level !== "good");
  const good = pools.filter(({ level }) => level === "good");
  const [racksShown, poolsShown] = small() ? [1, 3] : [3, 12];
  show(byId("pools-list"),
    pools.length === 0 && h("p", { class: "card row empty", "data-key": "none" }, "The policy names no pool."),
    bad.length + found.length > 0 && h("ul", { class: "card rows", "data-key": "bad" }, found.slice(0, racksShown).map(rackRow), bad.slice(0, poolsShown).map(of)),
    found.length > racksShown && fold("racks-rest", count(found.length - racksShown, "more network") + " with failing servers", () => list(found.slice(racksShown).map(rackRow))),
    bad.length > poolsShown && fold("pools-bad", count(bad.length - poolsShown, "more pool") + " with failing servers", () => list(bad.slice(poolsShown).map(of))),
    good.length > 0 && fold("pools-good", [sign("good"), " ", count(good.length, "healthy pool"), " · all " + good.reduce((sum, { pool }) => sum + pool.servers, 0) + " servers up"], () => list(good.map(of))));
}
