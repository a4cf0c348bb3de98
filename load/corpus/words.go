package corpus

import "strings"

// The vocabulary. Order matters: it decides every byte of a corpus.
var (
	small = strings.Fields(`the of and to in a is that for it as was with be by on not he at from are this have an which you one we
		all their there been has more if no when what would so out up into some than them can only other new could these two may
		then do first any my now such like our over even most made after also many before must through back where much your way
		well down should because each just those people how too little state good very make world still own see men work long
		get here between both life being under never day same another know while last might us great old year off come since`)
	verbs = strings.Fields(`carries follows builds measures reads writes keeps sends holds moves turns finds gives takes shows
		opens closes starts stops fills drains meets joins splits counts weighs sorts signs seals mends breaks bends lifts drops
		rolls slides climbs falls grows shrinks wakes sleeps waits hurries listens answers asks tells teaches learns forgets
		remembers copies moves paints draws folds wraps binds frees guards lends borrows trades repairs polishes rinses`)
	nouns = strings.Fields(`river bridge market garden engine window harbour valley lantern compass ledger orchard mill anchor
		meadow tunnel signal canal forest station cable quarry beacon barrel furnace archive ferry temple workshop village
		railway granary printer loom kiln lighthouse reservoir terrace courtyard stable nursery foundry bakery tannery dairy
		library museum theatre hospital school college tower castle palace cottage farm field pasture pond lake stream brook
		spring well fountain delta estuary lagoon reef island peninsula cape bay gulf strait channel sound ocean current tide
		wave storm cloud rain snow frost wind breeze gale thunder shadow dawn dusk morning evening season summer autumn winter
		journey voyage passage crossing detour path trail road street avenue lane alley crossing junction corner square plaza
		letter parcel message record journal diary chapter volume index table figure chart graph map atlas globe survey sketch
		model pattern frame panel lever pulley gear spring valve pump piston boiler turbine rotor magnet battery circuit switch
		sensor filter mirror lens prism crystal mineral copper silver iron steel bronze timber granite marble slate clay glass
		cotton linen wool silk leather paper ink pigment varnish wax resin rubber cork rope thread needle button buckle basket
		kettle pitcher bowl platter spoon ladle hammer chisel plane anvil tongs bellows crucible mortar pestle sieve funnel`)
)
