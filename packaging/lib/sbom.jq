# `cargo metadata` to CycloneDX 1.5. Arguments: $time, the time of the document; $sums, the checksums of the archives.

def reference: "pkg:cargo/\(.name)@\(.version)";

# What a program depends on when it runs: tests' dependencies and build scripts' are not in it.
def linked: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg];

# Everything that can be reached from the package $id.
def reached($nodes; $id):
  {seen: {($id): true}, todo: [$id]}
  | until(.todo == [];
      (.todo[0]) as $next
      | .seen as $seen
      | ([$nodes[$next] | linked[] | select($seen[.] | not)] | unique) as $new
      | .seen += ($new | map({key: ., value: true}) | from_entries)
      | .todo = .todo[1:] + $new)
  | .seen;

def license:
  if .license == null then []
  # Old crates write a slash for OR.
  else [{expression: (.license | gsub(" */ *"; " OR "))}] end;

def component:
  {type: "library", "bom-ref": reference, name, version, purl: reference, licenses: license}
  + (if .description == null then {} else {description: (.description | gsub("\\s+"; " ") | ltrimstr(" ") | rtrimstr(" "))} end)
  + ($sums["\(.name) \(.version)"] as $sum
     | if $sum == null then {} else {hashes: [{alg: "SHA-256", content: $sum}]} end)
  + (if .repository == null then {} else {externalReferences: [{type: "vcs", url: .repository}]} end);

(.resolve.nodes | map({key: .id, value: .}) | from_entries) as $nodes
| (.packages | map({key: .id, value: .}) | from_entries) as $packages
| .workspace_members[0] as $root
| (reached($nodes; $root) | keys) as $ids
| {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: ($time | todate),
      component: ($packages[$root] | component | .type = "application")
    },
    components: [$ids[] | select(. != $root) | $packages[.] | component] | sort_by(.name, .version),
    dependencies: [
      $ids[] as $id
      | {ref: ($packages[$id] | reference), dependsOn: ([$nodes[$id] | linked[] | $packages[.] | reference] | unique)}
    ] | sort_by(.ref)
  }
