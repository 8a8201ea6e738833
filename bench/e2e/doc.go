// Package e2e tests the lab as its users have it: real processes, started on free ports, loaded, killed and looked at from
// outside. It has tests alone.
//
// A test here is for what only whole processes show: that both stacks keep one contract (TestConformance), that nothing
// acknowledged is lost or doubled however often their parts are killed (TestKillRounds, TestDatabaseAndBrokerSurviveKillNine,
// TestResume), that the read model can be thrown away (TestReadModelRebuild), that trouble with files and disks is told in
// plain words (TestBrokenSurroundings), and that the laboratory's verdict turns red on stacks that are broken on purpose
// (TestMutants).
//
// E2E_SEED=7 changes the seed of what the tests leave to chance; -short does fewer rounds; -artifacts keeps the data and the
// logs of every process.
package e2e
