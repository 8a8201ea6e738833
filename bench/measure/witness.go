package measure

// Witness compares two independent accounts of when writes showed: the effects that services told, and readers who asked
// query's pages for a sample of the writes again and again. A reader knows only that a write showed between the sending of the
// last read without it and the answer to the first read with it; the effect must lie in there.
type Witness struct {
	Writes  int     `json:"writes"`   // that were read back and seen by both
	Agree   int     `json:"agree"`    // within BoundMS
	BoundMS float64 `json:"bound_ms"` // by how much the effect may lie outside of what the reader saw
	// Off is by how much the effects lie outside (0 for those inside), Span how long what the reader knew of each was.
	Off  *Percentiles `json:"off"`
	Span *Percentiles `json:"span"`
	// Untold are writes that the reader saw and no effect was told of; NotSeen are those that the reader gave up on.
	Untold  int `json:"untold"`
	NotSeen int `json:"not_seen"`
}
