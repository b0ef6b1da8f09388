#include "GuestImages.h"

const struct guest_image guest_images[1] = {};
const size_t guest_image_count = 0;
