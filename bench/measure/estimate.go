package measure

// Estimate is one figure over several rounds of the same experiment: no round is left out as an outlier.
type Estimate struct {
	Median float64 `json:"median"`
	// Low and High are the 95 % confidence interval of the median, by the percentile bootstrap (Efron and Tibshirani 1993) with a
	// seed of its own. With fewer than 3 rounds there is none, and both are null.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Values are the figure of each round, in their order; null where a round does not have it.
	Values []*float64 `json:"values"`
}

// Contrast sets one figure of two sides beside each other: sync and async of one run, or one stack of two runs.
type Contrast struct {
	Stack  string   `json:"stack,omitempty"` // of which both sides are; empty if the sides are the stacks
	Figure string   `json:"figure"`          // for example "CreateComment, TTA p50"
	Unit   string   `json:"unit"`            // "ms", "%", "" ...
	A      Estimate `json:"a"`
	B      Estimate `json:"b"`
	// Difference is B − A. In a run with several rounds it is taken round by round.
	Difference Estimate `json:"difference"`
	// Claimed tells whether the interval of the difference leaves out 0. What is not claimed must not be said.
	Claimed bool `json:"claimed"`
	// LessIsBetter tells what the sign means.
	LessIsBetter bool `json:"less_is_better"`
}
