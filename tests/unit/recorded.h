/* recorded.h - statements per second, as `make demo` recorded them: six applications whose rate
 * rises from 35 to 700 a second, stays there and falls, while a cluster of one shard becomes four
 * and one again beside them, on two cores. One value a second. */
#ifndef TESTS_UNIT_RECORDED_H
#define TESTS_UNIT_RECORDED_H

static const unsigned short recorded_demo[] = {
    14, 17, 39, 59, 72, 79, 75, 100, 111, 97, 136, 158, 150, 183, 197, 178, 166, 197, 224, 209,
    223, 276, 285, 283, 290, 272, 273, 318, 288, 313, 342, 341, 268, 375, 381, 352, 395, 426, 428,
    434, 494, 453, 480, 451, 472, 531, 454, 500, 561, 532, 563, 573, 529, 593, 631, 574, 568, 619,
    656, 615, 580, 792, 637, 567, 704, 647, 749, 705, 718, 690, 699, 732, 740, 692, 702, 766, 727,
    746, 712, 698, 721, 754, 743, 740, 717, 730, 739, 662, 743, 751, 712, 592, 699, 680, 688, 664,
    634, 578, 519, 465, 412, 366, 315, 184, 249, 197, 116, 36, 36, 45, 41, 31, 33, 40, 31, 27, 36,
    42, 37, 32, 43, 27, 45, 35, 34, 31, 37, 54, 40, 43, 40, 30, 35, 36, 36, 23, 32, 39, 33, 40,
    36, 32, 26, 53, 39, 25, 19, 25, 50, 32, 41, 37, 33, 35, 18, 51, 31, 41, 29, 45, 42, 34, 39,
    35, 36, 41, 28, 30, 28, 40,
};

#endif
