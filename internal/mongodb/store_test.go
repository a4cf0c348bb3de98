package mongodb_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/mongodb"
	"freshet/internal/site"
	"freshet/internal/storetest"
)

// TestStoreOnServer holds a database to what all places of documents do.
func TestStoreOnServer(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Place {
		db := onServer(t)
		return &storetest.Place{
			Library: func(t *testing.T) storetest.Library {
				l, err := mongodb.NewLibrary(db)
				if err != nil {
					t.Fatal(err)
				}
				return l
			},
			Source: func(t *testing.T) storetest.Source { return newSource(t, db) },
			Remove: func(t *testing.T, key string) {
				coll, hex, _ := strings.Cut(key, ":")
				id, err := bson.ObjectIDFromHex(hex)
				if err != nil {
					t.Fatal(err)
				}
				remove(t, db, coll, id)
			},
			Name: func(_ *testing.T, key string) string { return key },
			Key: func(_ *testing.T, id site.ID) string {
				key, _, _ := strings.Cut(string(id), "#")
				return key
			},
		}
	})
}
