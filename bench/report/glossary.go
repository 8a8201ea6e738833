package report

// term is a word of the report and what it means here.
type term struct{ Name, Meaning string }

// glossary defines each number. The definitions are those of docs/design.md, the same for both stacks.
func glossary() []term {
	return []term{
		{"Latency", "From the intended send time of an open-loop schedule to the answer, so that a stall counts against the system."},
		{"Time to accept (TTA)", "Intended send time until the write is acknowledged."},
		{"Time to effect (TTE)", "Intended send time until the write shows on query's pages. It is stamped where the effect happens: the process " +
			"whose commit makes it visible tells when the commit returned. In sync the commit comes a little before the answer."},
		{"Staleness", "TTE − TTA of a write; what would be below 0 counts as 0."},
		{"Backlog", "Writes that were acknowledged and did not show yet, and how long ago the oldest of them was acknowledged."},
		{"Availability", "OK answers within the deadline ÷ operations intended in the window. The deadline is the same for both stacks."},
		{"Blast radius", "The availability of each operation during a fault: from when it was seen to be in effect until its end was " +
			"asked for. Predicted is 0 if the operation needs that part by the dependency graph, else 100."},
		{"Before, during, after", "Before: up to 3 s before the fault that belong to no other fault. During: as for the blast radius. After: from the " +
			"recovery to the end of the fault's slot."},
		{"Recovery time", "From when the end of the fault was asked for until availability is back at its level of before, for 1 s."},
		{"Drain time", "From when the end of the fault was asked for until the writes that had piled up show."},
		{"Percentiles", "Over the operations that were answered OK before any fault (the steady window); by nearest rank, so each is the time of a " +
			"real operation: at least 99 of 100 took no longer than p99. Curves end where the sample is too small to tell."},
		{"Acknowledged, failed, unknown", "The service said OK; certainly had no effect; timed out or unavailable, and may have happened."},
		{"Recovered", "Unknown writes that were found to have happened."},
		{"Half done", "Unknown writes of which only a part has happened. Sending them again finishes them."},
		{"Lost", "Acknowledged and absent after the drain: in the owner's store, in the log of the broker, or in the read model, which also must show whatever the store holds."},
		{"Duplicated", "One request, more than one effect."},
		{"Unexpected", "An effect that nobody asked for."},
		{"Counter drift", "Counters that differ from what they count."},
		{"Stale reads", "Reads sent after a write was acknowledged that showed what was before it."},
		{"Read your writes, monotonic reads", "A client sees its own acknowledged writes; and never an older version after a newer one. Sync promises " +
			"both, async neither: there they are counted, and no violation."},
		{"Stable latency, realtime lag", "How long after its acknowledgement a write was still missed by a read; how long ago the oldest write that a read missed " +
			"was acknowledged (names of Jepsen's set-full)."},
		{"Witness", "An independent account: readers ask query's pages for a sample of the writes. A write showed between the sending of the last read " +
			"without it and the answer to the first with it; the effect that the service told must lie in there, within the bound."},
		{"Send lateness", "How long after its intended time the generator sent an operation. If the generator is the bottleneck, the run is not valid."},
		{"CPU for 1,000 operations", "CPU time of all processes of the stack over the steady window, in which both stacks answer everything, for each 1,000 operations intended in it."},
		{"Verdict", "Invalid: a guarantee was violated. Unknown: no violation was seen, and the run cannot show that there was none. Valid otherwise."},
		{"No difference claimed", "The 95 % confidence interval (bootstrap, over rounds) of the difference holds 0, so the rounds do not support one."},
	}
}
