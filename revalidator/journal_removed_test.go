package revalidator

import (
	"os"
	"testing"
)

// TestJournalRemoved: a journal that somebody removes while it is open is due to be written anew, and holds then what is
// needed and what comes after.
func TestJournalRemoved(t *testing.T) {
	dir := t.TempDir()
	j, _, _, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if j.due() {
		t.Fatal("a new journal is due to be written anew")
	}
	if err := os.Remove(j.path); err != nil {
		t.Fatal(err)
	}
	if !j.due() {
		t.Fatal("a journal that was removed is not written anew")
	}
	kept := record{Type: "job", Job: &Job{ID: "kept"}}
	if err := j.rewrite(func() []record { return []record{kept} }); err != nil {
		t.Fatal(err)
	}
	if err := j.append(record{Type: "job", Job: &Job{ID: "later"}}, true); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	_, records, damaged, err := openJournal(dir)
	if err != nil || damaged != 0 || len(records) != 2 || records[0].Job.ID != "kept" || records[1].Job.ID != "later" {
		t.Errorf("the journal has %v, %d damaged, %v", records, damaged, err)
	}
}
